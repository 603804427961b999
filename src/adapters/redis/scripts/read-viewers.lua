#!lua flags=no-writes
-- Reads the list of those who may watch.
-- KEYS  viewers    Answers {"VIEWERS", the list as JSON or nil}.

return { 'VIEWERS', redis.call('GET', KEYS[1]) }
