// What a person says of the segments: kept by the browser, and exported as a list for the next training.
const shelf = `recognitions ${location.pathname}`;
const verdicts = stored(shelf);
const shelves = new Map([[verdicts, shelf]]); // where each map is kept
const unkept = new Set(); // maps that have changed
const steps = []; // of what was done: the segment that was chosen, and what maps had before
let isKept = true;

// By the names of segments.
function stored(where) {
  try {
    return new Map(Object.entries(JSON.parse(localStorage.getItem(where)) || {}));
  } catch {
    return new Map();
  }
}

function store(where, byName) {
  try {
    localStorage.setItem(where, JSON.stringify(Object.fromEntries(byName)));
    isKept = true;
  } catch {
    isKept = false;
  }
}

// value: undefined: none.
function put(map, name, value) {
  const before = map.get(name);
  if (value === before) return;
  steps.at(-1)?.changes.push([map, name, before]);
  if (value === undefined) map.delete(name);
  else map.set(name, value);
  unkept.add(map);
}

function keep() {
  for (const map of unkept) store(shelves.get(map), map);
  unkept.clear();
}

// Do something to a segment, so that it can be undone. Returns what act() returns.
function asStep(segment, act) {
  steps.push({ name: segment.name, changes: [] });
  const made = act();
  if (!steps.at(-1).changes.length) steps.pop();
  return made;
}

// Undo the last step. Returns the name of its segment.
function undoStep() {
  const { name, changes } = steps.pop();
  for (const [map, key, before] of changes.reverse()) {
    if (before === undefined) map.delete(key);
    else map.set(key, before);
    unkept.add(map);
  }
  keep();
  return name;
}

// "right", "wrong", or undefined where nobody has looked.
const verdictOf = (segment) => verdicts.get(segment.name)?.verdict;

// The label that somebody chose in place of the one that was recognized, or undefined.
const chosenLabel = (segment) => verdicts.get(segment.name)?.label;

// verdict: "right", "wrong" or null. label: what it is instead, if that is known.
function judge(segment, verdict, label) {
  put(verdicts, segment.name, verdict === null ? undefined : label === undefined ? { verdict } : { verdict, label });
  keep();
}

// The label that counts: the one that somebody chose, or else the one that was recognized.
const labelOf = (segment) => chosenLabel(segment) ?? segment.label;
const isRefused = (segment) => verdictOf(segment) === "wrong" && chosenLabel(segment) === undefined;

// How many marks belong to no segment of this page: those of an earlier recognition into the same folder.
function lostMarks() {
  return [...verdicts.keys()].filter((name) => !segmentNamed.has(name)).length;
}

// The label to train with; undefined where none is known, as that of a wrong segment without another label.
function trueLabel(segment) {
  if (verdictOf(segment) === "right") return segment.label ?? undefined;
  return chosenLabel(segment);
}

// Those during which somebody else does something else.
function contradicted(segments) {
  const found = new Set();
  let before = [];
  for (const segment of [...segments].sort((a, b) => a.start - b.start)) {
    before = before.filter(({ end }) => end > segment.start);
    for (const other of before) {
      if (other.person !== segment.person && other.label !== segment.label) found.add(other).add(segment);
    }
    before.push(segment);
  }
  return found;
}

// Rows of the list, and how many segments cannot be a part of it: the list knows no persons, so spans in which people
// have different labels are left out, and equal ones with the same label are one row.
function correctedRows() {
  const rows = [];
  let unclear = 0;
  for (const video of videos) {
    const known = video.segments
      .map((segment) => ({ label: trueLabel(segment), start: segment.start, end: segment.end, person: segment.person }))
      .filter(({ label }) => label !== undefined);
    const path = known.length ? pathOf(video) : "";
    const refused = contradicted(known);
    const listed = new Set();
    for (const segment of known) {
      const { label, start, end } = segment;
      const span = `${start} ${end}`;
      if (refused.has(segment) || /[\r\n]/.test(path + label)) unclear += 1;
      else if (!listed.has(span)) rows.push({ path, label, start, end });
      listed.add(span);
    }
  }
  return { rows, unclear };
}

// Absolute where the page was opened as a file, so that the list may be kept anywhere; else as in recognitions.csv.
function pathOf(video) {
  const address = new URL(video.original, location.href);
  if (address.protocol !== "file:") return video.file;
  const path = decodeURIComponent(address.pathname);
  if (address.host) return `//${address.host}${path}`;
  return /^\/[A-Za-z]:\//.test(path) ? path.slice(1) : path;
}

function csvOf(rows) {
  const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
  const lines = rows.map(({ path, label, start, end }) => [quoted(path), quoted(label), start, end].join(","));
  return `\ufeff${["path,label,start,end", ...lines].join("\n")}\n`; // by the mark, Excel knows that it is UTF-8
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
