"""A worked example of a worker: it measures a video and tells how it goes. It is no deep-fake detector."""
