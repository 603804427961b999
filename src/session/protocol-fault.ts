/** What of a client's words cannot be understood; `code` is stable. */
export interface ProtocolFault {
  readonly code: "not_text" | "not_json" | "unknown_type" | "invalid_frame" | "invalid_query";
  readonly message: string;
}
