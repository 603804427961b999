import process from "node:process";

/** Measures in milliseconds of processor time, which other load on the machine does not lengthen. */
export function processorTime(): () => number {
  const began = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1_000;
  };
}
