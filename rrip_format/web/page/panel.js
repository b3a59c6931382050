// What a container says of itself. All of it is text from outside: only `textContent` and checked pictures are used.

import { RripError } from "../src/errors.js";

/** A table of names and texts. */
function fill(table, entries) {
  table.replaceChildren(
    ...entries.map(([name, text]) => {
      const row = document.createElement("tr");
      const head = Object.assign(document.createElement("th"), { textContent: name, scope: "row" });
      row.append(head, Object.assign(document.createElement("td"), { textContent: text }));
      return row;
    }),
  );
}

/** The description of an ICC profile, if it is plain. */
function profileName(profile) {
  const view = new DataView(profile.buffer, profile.byteOffset, profile.byteLength);
  const count = profile.length > 132 ? Math.min(view.getUint32(128), 100) : 0;
  for (let k = 0; k < count && 144 + 12 * k <= profile.length; k++) {
    const [tag, at, size] = [0, 4, 8].map((each) => view.getUint32(132 + 12 * k + each));
    if (tag !== 0x64657363 || at + size > profile.length || size < 12) continue;
    const isOld = view.getUint32(at) === 0x64657363;
    const text = new TextDecoder(isOld ? "latin1" : "utf-16be").decode(
      profile.subarray(at + (isOld ? 12 : 28), at + size),
    );
    return text
      .split("\0")[0]
      .replace(/[^\p{L}\p{N}\p{P}\p{Zs}]/gu, "")
      .slice(0, 80);
  }
  return "";
}

/** What the pixels had gone through before, in a line. */
function historyOf(compressions) {
  const names = {
    ISO_10918_1: "JPEG",
    ISO_15444_1: "JPEG 2000",
    ISO_14495_1: "JPEG-LS",
    ISO_15444_15: "HTJ2K",
    ISO_18181_1: "JPEG XL",
  };
  const texts = compressions.map(({ method, lossy, quality, subsampling, ratio }) => {
    const parts = [Object.hasOwn(names, method) ? names[method] : method, quality && `quality ${quality}`, subsampling];
    const loss = lossy === false ? "(lossless)" : lossy === true ? "" : "(lossy or not)";
    return [...parts, ratio && `${Number(ratio.toPrecision(3))}:1`, loss].filter(Boolean).join(" ");
  });
  return texts.join(", then ") || "no";
}

async function iccFact(slide) {
  try {
    const profile = await slide.iccProfile();
    if (!profile) return "none: colours are shown as if they were sRGB";
    return `${profileName(profile) || `${profile.length} bytes`}; not applied: colours are shown as they were scanned`;
  } catch (error) {
    return `cannot be read: ${error.message}`;
  }
}

/** A figure of an associated image, or what is wrong with it. */
async function figure(slide, name, urls) {
  const shown = document.createElement("figure");
  const caption = Object.assign(document.createElement("figcaption"), { textContent: name });
  try {
    const { jpeg, width, height } = await slide.associated(name);
    const url = URL.createObjectURL(new Blob([jpeg], { type: "image/jpeg" }));
    urls.push(url);
    shown.append(Object.assign(new Image(), { src: url, alt: `${name} image`, width, height }));
    shown.firstChild.style.height = "auto";
  } catch (error) {
    caption.textContent = `${name}: ${error instanceof RripError ? `${error.message} [${error.rule}]` : error}`;
    shown.className = "fault";
  }
  shown.append(caption);
  return shown;
}

/** Fill the panel; a function that releases its pictures is returned. */
export async function showPanel(slide) {
  const { slide: about, writer, coding } = slide.metadata;
  const text = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "unknown");
  const facts = [
    ["Source", about.source.name],
    ["Size", `${slide.width} × ${slide.height} px, ${slide.levels} levels`],
    ["Pixel", about.mpp ? `${about.mpp[0]} × ${about.mpp[1]} µm` : "unknown"],
    ["Objective", about.objective ? `${about.objective}×` : "unknown"],
    ["Scanner", about.vendor ?? "unknown"],
    ["Container", `${slide.container.kind}, base tiles of ${coding.tile} px`],
    ["Identity", coding.uuid],
    ["Written by", `${text(writer.name)} ${text(writer.version)}`],
  ];
  if (about.source.compressions) facts.push(["Compressed before", historyOf(about.source.compressions)]);
  if (about.source.missing_tiles)
    facts.push(["Missing", `${about.source.missing_tiles} tiles of the source, shown as background`]);
  if (writer.repair)
    facts.push(["Repaired", "this container was made of a damaged one; parts may be lost or made again"]);
  fill(document.getElementById("facts"), [...facts, ["ICC profile", "…"]]);
  fill(document.getElementById("properties"), Object.entries(about.properties).slice(0, 2000));
  const urls = [];
  const icc = iccFact(slide);
  const figures = await Promise.all(slide.associatedNames.map((name) => figure(slide, name, urls)));
  document.getElementById("pictures").replaceChildren(...figures);
  fill(document.getElementById("facts"), [...facts, ["ICC profile", await icc]]);
  return () => urls.forEach((url) => URL.revokeObjectURL(url));
}
