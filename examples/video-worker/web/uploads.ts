import { rm } from "node:fs/promises";
import { join } from "node:path";

export interface Upload {
  readonly analysisId: string;
  readonly owner: string;
  readonly path: string;
  /** For the player; never taken from the visitor. */
  readonly contentType: string;
}

export class UploadTooLarge extends Error {
  readonly code = "upload_too_large";
}

/** So many are kept for the player; the oldest goes when another comes. */
const MOST_KEPT = 20;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  mp4: "video/mp4",
  m4v: "video/mp4",
  mov: "video/quicktime",
  webm: "video/webm",
  mkv: "video/x-matroska",
  avi: "video/x-msvideo",
  ogv: "video/ogg",
  ts: "video/mp2t",
  mpg: "video/mpeg",
};

/** The files that visitors sent, in a folder, and whose they are. */
export class Uploads {
  readonly #folder: string;
  readonly #mostBytes: number;
  readonly #kept = new Map<string, Upload>();

  constructor(folder: string, mostBytes: number) {
    this.#folder = folder;
    this.#mostBytes = mostBytes;
  }

  /** Writes the file as it comes in, never whole in memory. Nothing is left of one that is too large or breaks off. */
  async receive(owner: string, fileName: string, body: ReadableStream<Uint8Array>): Promise<Upload> {
    const analysisId = crypto.randomUUID();
    const ending = /\.([a-z0-9]{1,5})$/i.exec(fileName)?.[1]?.toLowerCase() ?? "";
    // The visitor's name of the file is not used for ours: it is not to be trusted with a path.
    const known = ending in CONTENT_TYPES ? ending : "bin";
    const path = join(this.#folder, `${analysisId}.${known}`);
    const writer = Bun.file(path).writer();
    let received = 0;
    try {
      for await (const piece of body) {
        received += piece.byteLength;
        if (received > this.#mostBytes) throw new UploadTooLarge();
        writer.write(piece);
        await writer.flush();
      }
      await writer.end();
    } catch (error) {
      await writer.end();
      await rm(path, { force: true });
      throw error;
    }
    const contentType = CONTENT_TYPES[known] ?? "application/octet-stream";
    const upload = { analysisId, owner, path, contentType };
    this.#kept.set(analysisId, upload);
    await this.#removeOldest();
    return upload;
  }

  async discard(analysisId: string): Promise<void> {
    const upload = this.#kept.get(analysisId);
    this.#kept.delete(analysisId);
    if (upload !== undefined) await rm(upload.path, { force: true });
  }

  /** Undefined also if it is somebody else's: the visitor need not learn that it exists. */
  find(analysisId: string, owner: string): Upload | undefined {
    const upload = this.#kept.get(analysisId.toLowerCase());
    return upload?.owner === owner ? upload : undefined;
  }

  async #removeOldest(): Promise<void> {
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size > MOST_KEPT) await this.discard(oldest);
  }
}
