/** The exit codes that scripts may rely on, beside 0 for success. `configuration` is EX_CONFIG of sysexits. */
export const EXIT = {
  notDone: 1,
  usage: 2,
  analysisFailed: 3,
  analysisCancelled: 4,
  configuration: 78,
  interrupted: 130,
  outputClosed: 141,
  terminated: 143,
} as const;

/** Every exit code of the program and its meaning, as the help and the documents show it. */
export const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "done; serve: drained after SIGTERM or Ctrl-C; watch: the analysis completed"],
  [`${EXIT.notDone}`, "not done; standard error says why"],
  [`${EXIT.usage}`, "an unknown word or option, or a bad value; nothing was started"],
  [`${EXIT.analysisFailed}`, "watch: the analysis failed"],
  [`${EXIT.analysisCancelled}`, "watch: the analysis was cancelled"],
  [`${EXIT.configuration}`, "a setting is missing or wrong; each is named"],
  [`${EXIT.interrupted}`, "watch, publish: ended by Ctrl-C"],
  [`${EXIT.outputClosed}`, "nobody reads the output any more"],
  [`${EXIT.terminated}`, "watch, publish: ended by SIGTERM"],
  ["any", "run: that of the program, or 128 + n if signal n ended it; 126, 127: it could not be started"],
];
