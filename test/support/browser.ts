import { type Browser, chromium, type Page } from "playwright-core";
import { programPath } from "./needs.ts";

/** How every Chromium of the tests is started. */
export const CHROMIUM_FLAGS: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** Starts the system's own Chromium; ask `needs("chromium")` first. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: programPath("chromium"),
    args: [...CHROMIUM_FLAGS],
  });
}

/** Every address the page asked for that is of none of these origins, and every error it logged: both must stay empty. */
export function complaintsOf(page: Page, ...origins: string[]): string[] {
  const complaints: string[] = [];
  page.on("request", (request) => {
    if (![...origins, "data:"].some((origin) => request.url().startsWith(origin)))
      complaints.push(request.url());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return complaints;
}
