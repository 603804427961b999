#!lua flags=no-writes
-- Who may watch.
-- KEYS  viewers    Answers {"VIEWERS", them as JSON or nil}.

return { 'VIEWERS', redis.call('GET', KEYS[1]) }
