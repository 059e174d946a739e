// Which segments are shown, in which order, and which one is chosen.
const wanted = { labels: new Set(), least: 0, file: "", looked: "", sort: "file" };
let shown = [];
let isShown = new Set();
let chosen = null;

const ORDERS = {
  file: () => 0,
  low: (a, b) => a.score - b.score,
  high: (a, b) => b.score - a.score,
  label: (a, b) => byName(labelText(labelOf(a)), labelText(labelOf(b))),
  long: (a, b) => b.end - b.start - (a.end - a.start),
};

const isFiltered = () => Boolean(wanted.labels.size || wanted.least || wanted.file || wanted.looked);

const fits = (segment) =>
  (!wanted.labels.size || wanted.labels.has(labelOf(segment))) &&
  segment.score >= wanted.least &&
  hasFile(segment.video) &&
  (!wanted.looked || (verdictOf(segment) ?? "open") === wanted.looked);

const hasFile = (video) => video.file.toLowerCase().includes(wanted.file);

function select() {
  shown = segments.filter(fits).sort((a, b) => ORDERS[wanted.sort](a, b) || a.place - b.place);
  isShown = new Set(shown);
}

// Videos in the order of their first segment that is shown; without filters also those that have none.
function shownVideos() {
  const found = new Set(wanted.sort === "file" ? [] : shown.map((segment) => segment.video));
  const others = isFiltered() ? new Set(shown.map((segment) => segment.video)) : new Set(videos);
  for (const video of videos) if (others.has(video)) found.add(video);
  return [...found];
}

// The segment this many places after the chosen one, at most the last one.
function neighbor(steps) {
  const at = shown.indexOf(chosen);
  if (at < 0) return shown.find((segment) => chosen && segment.place > chosen.place) ?? shown[0];
  return shown[Math.min(Math.max(at + steps, 0), shown.length - 1)];
}

// Sums of the shown segments: how often, how long, first and last, for each group of segments with the same key.
function sums(keyOf) {
  const groups = new Map();
  for (const segment of shown) {
    const key = keyOf(segment);
    const own = groups.get(key) ?? { segment, count: 0, seconds: 0, first: Infinity, last: 0, files: new Set() };
    own.count += 1;
    own.seconds += segment.end - segment.start;
    own.first = Math.min(own.first, segment.start);
    own.last = Math.max(own.last, segment.end);
    own.files.add(segment.video.file);
    groups.set(key, own);
  }
  return [...groups.values()];
}
