/** One object of a manifest. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own shape, which the schemas know
  readonly spec: any;
}

interface Validate {
  (data: unknown): boolean;
  readonly errors?: readonly { readonly instancePath: string; readonly message?: string }[] | null;
}

/** The faults that Kubernetes' own schema finds in an object: wrong types, missing fields, and fields that it does not know. */
export async function faultsOfObject(object: KubernetesObject): Promise<string[]> {
  const models = (await import(`kubernetes-models/${object.apiVersion}`)) as Record<string, unknown>;
  // Each kind has two names there, and the long one is that of its schema.
  const schema = Object.keys(models).find(
    (name) => name !== object.kind && models[name] === models[object.kind],
  );
  if (schema === undefined) return [`${object.apiVersion} has no ${object.kind}`];
  const file = new URL(`_schemas/${schema}.js`, import.meta.resolve("kubernetes-models"));
  const { validate } = (await import(file.href)) as { validate: Validate };
  const unread = new Set<string>();
  if (!validate(watched(object, "", unread)))
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  return [...unread].map((path) => `${path} is no field`);
}

/** The schemas never read a field that they do not know: the paths of these remain in `unread`. */
function watched<Value>(value: Value, path: string, unread: Set<string>): Value {
  if (typeof value !== "object" || value === null) return value;
  const copy = (Array.isArray(value) ? [] : {}) as Record<string, unknown>;
  for (const [name, member] of Object.entries(value)) {
    const at = `${path}/${name}`;
    const inner = watched(member, at, unread);
    if (!Array.isArray(value)) unread.add(at);
    Object.defineProperty(copy, name, {
      enumerable: true,
      configurable: true,
      get() {
        unread.delete(at);
        return inner;
      },
    });
  }
  return copy as Value;
}
