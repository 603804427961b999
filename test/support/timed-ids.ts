/** Ids of entries as the inboxes of the memory and of Redis number them, in their order. */
export const TIMED_IDS = [
  "0-1",
  "0-2",
  "0-10",
  "9-0",
  "10-0",
  "10-18446744073709551615",
  "11-0",
  "1764000000000-0",
] as const;
