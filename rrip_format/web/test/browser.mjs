// Browsers of the system, driven by Puppeteer: Chromium by its own protocol, Firefox by WebDriver BiDi.

import { existsSync } from "node:fs";

const PROGRAMS = {
  chrome: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
  firefox: ["/usr/bin/firefox-esr", "/usr/bin/firefox"],
};

/** Puppeteer, null where `npm ci` has not been run. */
export const puppeteer = await import("puppeteer-core").then(
  (module) => module.default,
  () => null,
);

/** Path of a browser, null where it is not installed. */
export const programOf = (name) => PROGRAMS[name].find(existsSync) ?? null;

/** Why a browser cannot be driven here, null if it can. */
export function whyNot(name) {
  if (!puppeteer) return "Puppeteer is not installed: npm ci";
  return programOf(name) ? null : `${name} is not installed`;
}

/** Start a browser without a window. */
export function launch(name, width = 1280, height = 800) {
  return puppeteer.launch({
    browser: name,
    executablePath: programOf(name),
    headless: true,
    defaultViewport: { width, height },
    args: name === "chrome" ? ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"] : [],
    timeout: 60000,
    protocolTimeout: 120000,
  });
}

/** Wait for something inside a page; it is polled, so that it works in each protocol. */
export async function until(page, check, ...values) {
  for (const end = Date.now() + 60000; ;) {
    if (await page.evaluate(check, ...values)) return;
    if (Date.now() > end) throw new Error(`it did not come true: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether all tiles of the view have been drawn, to be waited for in a page. */
export const isDrawn = () => {
  const { viewer } = globalThis.rrip;
  const image = viewer?.world.getItemAt(0);
  return Boolean(image?.getFullyLoaded() && !viewer.isAnimating?.());
};
