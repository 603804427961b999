import { defaultOf, type VariableName } from "./variables.ts";

export interface ConfigFault {
  /** The variable as it was set: `PORT`, or `PORT_FILE` if the value came from a file. */
  readonly name: string;
  /** For people. Never holds a value, or the path of a file. */
  readonly message: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads single settings and collects every fault. After a fault the reader answers a usable value, so that the other
 * settings are judged as well. The values count only if `faults` is empty.
 */
export class Settings {
  readonly faults: ConfigFault[] = [];
  readonly #env: Environment;
  readonly #readFile: (path: string) => string;
  readonly #texts = new Map<VariableName, string | undefined>();
  readonly #inForce = new Map<VariableName, string | undefined>();

  constructor(env: Environment, readFile: (path: string) => string) {
    this.#env = env;
    this.#readFile = readFile;
  }

  isSet(name: VariableName): boolean {
    return nonEmpty(this.#env[name]) !== undefined || nonEmpty(this.#env[`${name}_FILE`]) !== undefined;
  }

  /** The value as given, from the variable or its file; undefined if neither is set or the file is at fault. */
  text(name: VariableName): string | undefined {
    if (!this.#texts.has(name)) this.#texts.set(name, this.#readText(name));
    const text = this.#texts.get(name);
    if (!this.#inForce.has(name)) this.#inForce.set(name, text);
    return text;
  }

  /** Says that this value is in force, if it follows from other settings. */
  decide(name: VariableName, value: string): void {
    this.#inForce.set(name, value);
  }

  /** The value in force, undefined in it if there is none. No answer: nothing has read this setting. */
  inForce(name: VariableName): { readonly value: string | undefined } | undefined {
    return this.#inForce.has(name) ? { value: this.#inForce.get(name) } : undefined;
  }

  /** The file that the value comes from; undefined if none is named. */
  fileOf(name: VariableName): string | undefined {
    return nonEmpty(this.#env[`${name}_FILE`]);
  }

  /**
   * Gives a function that reads the value anew from its file, and answers undefined if it cannot be read or is empty at that
   * moment; undefined if no file is named.
   */
  readerOf(name: VariableName): (() => string | undefined) | undefined {
    const path = this.fileOf(name);
    if (path === undefined) return undefined;
    return () => {
      try {
        return contentOf(this.#readFile(path));
      } catch {
        // The caller goes on with the value that was read last.
        return undefined;
      }
    };
  }

  /** The name under which the value was set: `PORT`, or `PORT_FILE`. */
  setAs(name: VariableName): string {
    return nonEmpty(this.#env[name]) === undefined && this.isSet(name) ? `${name}_FILE` : name;
  }

  /** The value of the variable itself, neither judged nor read from a file; "" if it is not set. */
  unread(name: VariableName): string {
    return this.#env[name] ?? "";
  }

  /** Notes that a setting is not used, unless nobody set it by hand: Kubernetes sets REDIS_PORT by itself. */
  noteUnused(name: VariableName, why: string, note: (text: string) => void): void {
    if (this.isSet(name) && !isServiceAddress(this.unread(name))) note(`${name} is not used: ${why}.`);
  }

  fault(name: VariableName, message: string): void {
    this.faults.push({ name: this.setAs(name), message });
  }

  /**
   * Adds a fault that says how long the value is. It never shows the value, nor the length of a value from a file: people
   * set a password under the name of another setting, or name the file of another secret.
   */
  badValue(name: VariableName, expected: string): void {
    const { length } = this.unread(name);
    this.fault(name, length === 0 ? expected : `${expected}; the value has length ${length}`);
  }

  /** A whole number within bounds, both included. */
  count(name: VariableName, least: number, most: number): number {
    const text = this.#textOrDefault(name);
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const hint = isServiceAddress(text) ? SERVICE_HINT : "";
    this.badValue(name, `must be a whole number from ${least} to ${most}${hint}`);
    return least;
  }

  /** A time given in seconds, fractions allowed; answered in milliseconds, at least `leastMs`. */
  milliseconds(name: VariableName, mostSeconds: number, leastMs: 0 | 1 = 1): number {
    const text = this.#textOrDefault(name);
    const seconds = /^\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
    const value = Math.round(seconds * 1000);
    if (value >= leastMs && seconds <= mostSeconds) return value;
    const least = leastMs === 0 ? "from 0" : "above 0";
    this.badValue(name, `must be a number of seconds ${least} and at most ${mostSeconds}`);
    return leastMs;
  }

  choice<Choice extends string>(name: VariableName, choices: readonly Choice[], whenUnset: Choice): Choice {
    const text = this.text(name);
    if (text === undefined) {
      this.decide(name, whenUnset);
      return whenUnset;
    }
    const chosen = choices.find((choice) => choice === text);
    if (chosen === undefined) this.badValue(name, `must be one of ${choices.join(", ")}`);
    return chosen ?? whenUnset;
  }

  #textOrDefault(name: VariableName): string {
    const text = this.text(name);
    if (text === undefined) this.decide(name, defaultOf(name));
    return text ?? defaultOf(name);
  }

  #readText(name: VariableName): string | undefined {
    const value = nonEmpty(this.#env[name]);
    const path = nonEmpty(this.#env[`${name}_FILE`]);
    if (path === undefined) return value;
    if (value !== undefined) {
      this.fault(name, `${name} and ${name}_FILE are both set; set one of them`);
      return value;
    }
    return this.#readFrom(name, path);
  }

  #readFrom(name: VariableName, path: string): string | undefined {
    let content: string;
    try {
      content = this.#readFile(path);
    } catch (error) {
      // The path is left out as well: people put the secret itself there by mistake.
      this.fault(name, `the file it names cannot be read (${codeOf(error)})`);
      return undefined;
    }
    const text = contentOf(content);
    if (text === undefined) this.fault(name, "the file it names is empty");
    return text;
  }
}

/** Whether Kubernetes wrote this value, or a Docker link: the address of a Service. */
export function isServiceAddress(value: string): boolean {
  return /^(tcp|udp|sctp):\/\//.test(value);
}

const SERVICE_HINT =
  ", not the address of a Service: Kubernetes sets the variable for a Service of that name, " +
  "and `enableServiceLinks: false` in the pod keeps it from doing so";

function contentOf(file: string): string | undefined {
  return nonEmpty(file.replace(/\r?\n$/, ""));
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "unknown error";
}
