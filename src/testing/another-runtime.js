// JavaScript, so that a runtime that reads no TypeScript below node_modules can say it as well.
throw new Error("telltale/testing runs by `bun test`, and by `deno test` as docs/WRITING-AN-ADAPTER.md says");
