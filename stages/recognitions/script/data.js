"use strict";

// What was recognized, as objects, and how it is written for people.
const data = JSON.parse(document.getElementById("data").textContent);
const NONE = "none";
const labels = new Set(data.labels); // also those that somebody has chosen
const numberOf = new Map(data.labels.map((label, i) => [label, i]));
const videos = data.videos;
const segments = []; // of all videos, in the order of their places
for (const video of videos) {
  video.recognized = video.segments.map(([start, end, person, label, score, thumbnail, nearest]) =>
    named({ video, start, end, person, label: data.labels[label] ?? null, score, thumbnail, nearest: data.labels[nearest] }),
  );
  video.persons = [...new Set(video.recognized.map((segment) => segment.person))].sort((a, b) => a - b);
}

// The label is a part of the name by which a verdict is kept: what was said of one label is not said of another.
function named(segment) {
  const { video, start, end, person, label } = segment;
  return { ...segment, name: JSON.stringify([video.file, start, end, person, label]) };
}
const byName = new Intl.Collator(undefined, { numeric: true }).compare;
const dark = matchMedia("(prefers-color-scheme: dark)");

const find = (id) => document.getElementById(id);

// An element. Properties are set as such, so that names and labels are never read as HTML.
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const isolated = (text, className = "") => element("bdi", { textContent: text, className });
const labelText = (label) => (label === null ? NONE : label);
// What was recognized. Where no class is likely enough, the one that is the likeliest.
const foundText = ({ label, nearest, score }) =>
  nearest === undefined ? labelText(label) : `${NONE}, perhaps ${nearest} ${percent(score)}`;
const percent = (score) => (score === null ? "–" : `${Math.round(100 * score)} %`);
const number = (value) => value.toLocaleString("en").replaceAll(",", " ");
const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

// 0:07.5, 12:30.0, 1:02:03.0
function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  const [hours, minutes, rest] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, (tenths % 600) / 10];
  const text = `${rest < 10 ? "0" : ""}${rest.toFixed(1)}`;
  return hours ? `${hours}:${minutes < 10 ? "0" : ""}${minutes}:${text}` : `${minutes}:${text}`;
}

// 7.5 s, 3 min 05 s, 1 h 20 min
function duration(seconds) {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  if (minutes < 60) return `${minutes} min ${rest < 10 ? "0" : ""}${rest} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60 < 10 ? "0" : ""}${minutes % 60} min`;
}

// Neighboring numbers get hues far apart; each round of eight has another lightness.
function placeOf(label) {
  if (!numberOf.has(label)) numberOf.set(label, numberOf.size);
  return numberOf.get(label);
}

const lightness = (label) => (dark.matches ? [0.72, 0.6, 0.82] : [0.56, 0.44, 0.74])[Math.floor(placeOf(label) / 8) % 3];

function colorOf(label) {
  if (label === null) return dark.matches ? "#3a414d" : "#d8dbe0";
  return `oklch(${lightness(label)} 0.14 ${(255 + 137.5 * placeOf(label)) % 360})`;
}

// Of text on that color.
function inkOn(label) {
  if (label === null) return dark.matches ? "#c3c9d4" : "#4b5260";
  return lightness(label) > 0.58 ? "#0d1117" : "#fff";
}

function swatch(label) {
  const made = element("i", { className: "swatch", ariaHidden: "true" });
  made.style.background = colorOf(label);
  return made;
}
