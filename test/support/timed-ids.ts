/** Ids of entries as the inboxes of the memory and of Redis number them, in their order. The last are of inboxes that were made anew. */
export const TIMED_IDS = [
  "0-1",
  "0-2",
  "0-10",
  "9-0",
  "10-0",
  "10-18446744073709551615",
  "11-0",
  "1764000000000-0",
  "18446744073709551615-18446744073709551615",
  "1764000000000-0-1",
  "1764000000000-9-0",
  "1764000000001-5-1",
] as const;
