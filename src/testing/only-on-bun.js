// JavaScript, so that a runtime that reads no TypeScript below node_modules can say it as well.
throw new Error("telltale/testing is written for Bun's test runner: run your tests by `bun test`");
