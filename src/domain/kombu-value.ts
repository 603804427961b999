/**
 * The value of `{"__type__": type, "__value__": …}`, the form in which kombu, the messaging library of Celery, writes
 * Python's own types into JSON; undefined if the value is no such object.
 */
export function kombuValue(value: unknown, type: "datetime" | "uuid"): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const { __type__, __value__ } = value as { readonly __type__?: unknown; readonly __value__?: unknown };
  return __type__ === type ? __value__ : undefined;
}

/** An id as a publisher sends it, with a UUID of kombu's put into text; any other value as it is. */
export function plainId(value: unknown): unknown {
  const uuid = kombuValue(value, "uuid");
  if (uuid === undefined) return value;
  // kombu 5.3 and later write the digits alone, in an object of their own.
  const text = typeof uuid === "object" && uuid !== null ? (uuid as { readonly hex?: unknown }).hex : uuid;
  const parts = typeof text === "string" ? UUID.exec(text) : null;
  return parts === null ? value : parts.slice(1).join("-");
}

const UUID = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i;
