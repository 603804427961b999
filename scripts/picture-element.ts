import { launchBrowser } from "../test/support/browser.ts";
import { ElementStage } from "../test/support/element-states.ts";

/** `npm run build:pictures` takes pictures of every state of `<telltale-progress>`, for docs/pictures. Needs Chromium. */
const FOLDER = new URL("../docs/pictures/", import.meta.url).pathname;
const WIDTHS = [
  { width: 320, columns: 4 },
  { width: 1280, columns: 1 },
];

const [browser, stage] = await Promise.all([launchBrowser(), ElementStage.start()]);
try {
  for (const { width, columns } of WIDTHS)
    for (const theme of ["light", "dark"]) {
      const page = await browser.newPage({ viewport: { width: width * columns, height: 600 } });
      await page.emulateMedia({ reducedMotion: "reduce" });
      await stage.open(page, { theme, width: `${width}`, columns: `${columns}` });
      const path = `${FOLDER}element-${width}-${theme}.png`;
      await page.locator("main").screenshot({ path });
      console.log(`${path}: ${Bun.file(path).size} bytes`);
      await page.close();
    }
} finally {
  await Promise.all([browser.close(), stage.stop()]);
}
