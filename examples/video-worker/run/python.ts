import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A Python that can run the worker. Throws if there is none, and says what to do. */
export function findPython(folder: string): string {
  const given = process.env.PYTHON;
  const candidates =
    given === undefined || given === ""
      ? [`${folder}/venv/bin/python`, `${folder}/.venv/bin/python`, "python3", "/usr/bin/python3"]
      : [given];
  const found = candidates.find((python) => canImport(python));
  if (found !== undefined) return found;
  throw new Error(
    `No Python with celery and redis was found (looked at ${candidates.join(", ")}). Make one:\n` +
      "  python3 -m venv examples/video-worker/venv\n" +
      "  examples/video-worker/venv/bin/pip install -r examples/video-worker/requirements.txt",
  );
}

/** Where the worker finds the package telltale-client: in this checkout, so that nobody has to install it first. */
export function workerEnvironment(root: string): Readonly<Record<string, string>> {
  const places = [join(root, "clients/python"), process.env.PYTHONPATH ?? ""];
  return {
    PYTHONPATH: places.filter((place) => place !== "").join(delimiter),
    PYTHONDONTWRITEBYTECODE: "1",
  };
}

function canImport(python: string): boolean {
  if (python.includes("/") ? !existsSync(python) : Bun.which(python) === null) return false;
  return Bun.spawnSync([python, "-c", "import celery, redis"], { stdout: "ignore", stderr: "ignore" })
    .success;
}
