import { nothing, type Tally } from "./tally.ts";

const measuredFolders = ["src/domain", "src/application"];
const floorPercent = 95;

/**
 * Compares the share of lines of the core that tests ran with the floor. A file that no test loads is missing from the
 * report, so the folders are listed and such a file counts with all its lines as never run.
 */
export async function checkCoverage(
  root: string,
  reportPath: string,
): Promise<{ readonly tally: Tally; readonly summary: readonly string[] }> {
  const report = Bun.file(reportPath);
  const measured = readReport((await report.exists()) ? await report.text() : "");
  const files = await Promise.all(sourcePaths(root).map((path) => countLines(root, path, measured)));
  const lines = files.reduce((total, file) => total + file.lines, 0);
  const ran = files.reduce((total, file) => total + file.ran, 0);
  const percent = lines === 0 ? 0 : (100 * ran) / lines;
  const enough = percent >= floorPercent;
  const figure = `lines of domain and application that tests ran: ${percent.toFixed(1)} % (floor ${floorPercent} %)`;
  return enough
    ? { tally: { ...nothing, passed: 1 }, summary: [figure] }
    : { tally: { ...nothing, failed: 1 }, summary: [figure, ...worst(files)] };
}

interface Coverage {
  readonly path: string;
  readonly lines: number;
  readonly ran: number;
}

function worst(files: readonly Coverage[]): string[] {
  return files
    .filter((file) => file.ran < file.lines)
    .sort((a, b) => b.lines - b.ran - (a.lines - a.ran))
    .slice(0, 15)
    .map((file) => `${file.path}: ${file.lines - file.ran} of ${file.lines} lines never ran`);
}

function sourcePaths(root: string): string[] {
  return measuredFolders.flatMap((folder) =>
    [...new Bun.Glob(`${folder}/**/*.ts`).scanSync({ cwd: root })].sort(),
  );
}

async function countLines(
  root: string,
  path: string,
  measured: ReadonlyMap<string, Coverage>,
): Promise<Coverage> {
  const found = measured.get(path);
  if (found !== undefined) return found;
  // A file of types alone has no line to run.
  const program = new Bun.Transpiler({ loader: "ts" }).transformSync(await Bun.file(`${root}${path}`).text());
  return { path, lines: program.split("\n").filter((line) => line.trim() !== "").length, ran: 0 };
}

/** The lcov format: `SF:` names a file, `DA:line,times` a line, `end_of_record` ends the file. */
function readReport(text: string): Map<string, Coverage> {
  const files = new Map<string, Coverage>();
  for (const record of text.split("end_of_record")) {
    const path = /^SF:(.+)$/m.exec(record)?.[1];
    if (path === undefined) continue;
    const times = [...record.matchAll(/^DA:\d+,(\d+)/gm)].map((match) => Number(match[1]));
    files.set(path, { path, lines: times.length, ran: times.filter((count) => count > 0).length });
  }
  return files;
}
