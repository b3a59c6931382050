// The page: which slide to show, and what to say where it cannot be shown.

import { RripError, Slide } from "../src/index.js";
import { showPanel } from "./panel.js";
import { showSlide } from "./viewer.js";

const element = (id) => document.getElementById(id);
const MAX_LIST_BYTES = 1 << 20;

/** What is shown, for whoever looks at the page from outside, such as its tests. */
const state = { slide: null, viewer: null, faults: [], error: null };
globalThis.rrip = state;
let close = () => {};

/** Show a message, or none. */
function say(text) {
  element("message").textContent = text;
  element("message").hidden = !text;
}

/** Pauses before what could not be had is asked for again: the first, and the longest, ms. */
const AGAIN_MS = 5_000;
const LATEST_AGAIN_MS = 60_000;
let wait = AGAIN_MS;
let again = 0;

function noteFault(fault) {
  if (fault.rule === "storage.failed") again ||= setTimeout(askAgain, wait);
  if (state.faults.some(({ message }) => message === fault.message)) return; // drawn again
  state.faults.push(fault);
  sayFaults();
}

function sayFaults() {
  const { length } = state.faults;
  const fault = state.faults.at(-1);
  if (!fault) return say("");
  const ending = fault.rule === "storage.failed" ? "; the page goes on trying" : "";
  say(
    `${length === 1 ? "A part" : `${length} parts`} of this slide cannot be shown and ${length === 1 ? "is" : "are"} hatched: ${fault.message} [${fault.rule}]${ending}`,
  );
}

/** Ask again for what the network has failed to bring. */
function askAgain() {
  clearTimeout(again);
  again = 0;
  wait = Math.min(2 * wait, LATEST_AGAIN_MS);
  const count = state.faults.length;
  state.faults = state.faults.filter(({ rule }) => rule !== "storage.failed");
  if (state.faults.length < count) state.viewer?.world.resetItems();
  sayFaults();
}

addEventListener("online", askAgain);

/** Open a slide in place of the one that is shown. */
async function open(source, name) {
  close();
  clearTimeout(again);
  [again, wait] = [0, AGAIN_MS];
  Object.assign(state, { slide: null, viewer: null, faults: [], error: null });
  element("choose").hidden = true;
  say("Opening …");
  try {
    const slide = await Slide.open(source);
    const title = name || slide.metadata.slide.source.name;
    element("title").textContent = title;
    document.title = title;
    say("");
    const shown = showSlide(slide, { onFault: noteFault });
    element("colour").hidden = !("icc_profile" in slide.metadata.attachments);
    close = () => {
      shown.close();
      slide.close();
      hidePanel();
    };
    Object.assign(state, { slide, viewer: shown.viewer });
  } catch (error) {
    state.error = error;
    say(error instanceof RripError ? `${error.message} [${error.rule}]` : `This page does not work here: ${error}`);
    console.error(error);
  }
}

/** Address of a slide: of HTTP alone. */
function addressOf(text) {
  const url = new URL(text, location.href);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new RripError(
      "storage.failed",
      "The address of a slide begins with https: or http:, or is a path on this server",
    );
  return url;
}

const nameOf = (url) => decodeURIComponent(url.pathname.replace(/\/$/, "").split("/").at(-1) ?? "");

/** The list beside the page, if there is one: names and addresses. */
async function readList() {
  const response = await fetch("slides.json").catch(() => null);
  if (!response?.ok || Number(response.headers.get("Content-Length")) > MAX_LIST_BYTES) return [];
  const found = await response.json().catch(() => []);
  return Array.isArray(found)
    ? found.filter((each) => typeof each?.name === "string" && typeof each?.url === "string")
    : [];
}

function showChoice(list) {
  element("choose").hidden = false;
  element("by-address").hidden = list.length > 0;
  element("slides").replaceChildren(
    ...list.map(({ name, url }) => {
      const item = document.createElement("li");
      item.append(
        Object.assign(document.createElement("a"), { textContent: name, href: `?slide=${encodeURIComponent(url)}` }),
      );
      return item;
    }),
  );
}

element("open").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = element("address").value.trim();
  if (wanted) location.search = `?slide=${encodeURIComponent(wanted)}`;
});
element("file").addEventListener("change", () => {
  const [file] = element("file").files;
  if (file) void open(file, file.name);
});
/** Release what the panel shows. */
let release = async () => {};

function hidePanel() {
  element("panel").hidden = true;
  element("info").setAttribute("aria-expanded", "false");
  void release();
  release = async () => {};
}

element("info").addEventListener("click", () => {
  if (!state.slide) return;
  if (!element("panel").hidden) {
    hidePanel();
    return;
  }
  element("panel").hidden = false;
  element("info").setAttribute("aria-expanded", "true");
  const panel = showPanel(state.slide); // attachments are read when they are looked at
  release = async () => (await panel)();
});

try {
  const wanted = new URLSearchParams(location.search).get("slide");
  const list = wanted === null ? await readList() : [];
  if (wanted !== null || list.length === 1) {
    const url = addressOf(wanted ?? list[0].url);
    await open(url, list[0]?.name ?? nameOf(url));
  } else showChoice(list);
} catch (error) {
  state.error = error;
  say(error instanceof RripError ? error.message : `The address cannot be read: ${error.message}`);
}
