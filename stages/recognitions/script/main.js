// Puts the page together: what people do, and what they then see.
const place = (id, className, role) => {
  const made = element("div", { className, role });
  find(id).append(made);
  return made;
};
const videoRows = new Rows(place("videos", "rows", "list"), videoRow);
const list = place("segments", "rows", "listbox");
list.tabIndex = 0;
list.ariaLabel = "Segments";
const segmentRows = new Rows(list, segmentRow);
const labelSums = place("sums", "scroll", "presentation");
const sumTable = place("sums", "sums", "table");
sumTable.ariaLabel = "Sums for each video, label and person";
sumTable.append(sumHead());
const sumPlace = element("div", { className: "rows", role: "rowgroup" });
sumTable.append(sumPlace);
const sumRows = new Rows(sumPlace, sumRow);
const VIEWS = ["videos", "segments", "sums", "failed"];
let view = "videos";
let ownLanes = null;

const player = new Player({
  stops: () => find("stop").checked,
  onTime: (seconds) => ownLanes?.markTime(seconds),
  onState: (isPlaying) => (find("play-text").textContent = isPlaying ? "Pause" : "Play"),
});

function choose(segment, plays = false) {
  if (!segment) return;
  const changed = [segment, chosen ?? segment];
  chosen = segment;
  if (plays) player.play(segment);
  else player.show(segment);
  showChosen();
  segmentRows.renew(changed);
  videoRows.renew(changed.map(({ video }) => video));
}

function reveal() {
  const filters = document.querySelector(".found");
  const covered = innerWidth < 900 ? document.querySelector(".seen").getBoundingClientRect().bottom : 0;
  if (!filters.contains(document.activeElement) && innerWidth < 900 && covered > innerHeight / 2) return;
  if (view === "segments") segmentRows.reveal(shown.indexOf(chosen), covered);
  if (view === "videos") videoRows.reveal(shownVideos().indexOf(chosen.video), covered);
}

function step(steps) {
  const next = neighbor(steps);
  if (!next) return;
  choose(next);
  reveal();
}

function showChosen() {
  const { video, label, nearest, score, person } = chosen;
  const facts = [percent(score), spanOf(chosen), ...(person === null ? [] : [`person ${person}`])].join(" · ");
  find("now").replaceChildren(
    element("div", { className: "label" }, swatch(label), isolated(foundText(chosen)), verdictBadge(chosen)),
    element("div", { className: "soft" }, facts),
    element("div", { className: "soft where" }, isolated(video.file)),
  );
  find("accept").hidden = nearest === undefined;
  find("nearest").textContent = nearest ?? "";
  find("restore").hidden = !chosen.whole;
  for (const verdict of ["right", "wrong"]) find(verdict).ariaPressed = `${verdictOf(chosen) === verdict}`;
  list.setAttribute("aria-activedescendant", `segment-${chosen.place}`);
  if (ownLanes?.video !== video) {
    ownLanes = lanesOf(video, lanesOptions);
    ownLanes.video = video;
    find("own-lanes").replaceChildren(ownLanes);
  }
  ownLanes.redraw();
  ownLanes.markTime(player.timeIn(chosen) ?? chosen.start);
  find("own-lanes").scrollTop = laneTop(chosen) - LANE.several;
}

// Say what is true of the chosen segment, and go on.
function say(verdict, label) {
  if (!chosen) return;
  const segment = chosen;
  const next = find("advance").checked && verdict !== null ? neighbor(1) : segment;
  asStep(segment, () => judge(segment, verdict, label));
  showChips();
  showKept();
  refresh(segment);
  if (next && next !== segment) {
    choose(next);
    reveal();
  } else {
    showChosen();
  }
}

function relabel(text) {
  const label = text.trim();
  if (!label || !chosen) return;
  if (!labels.has(label)) {
    labels.add(label);
    showLabels();
  }
  if (label === chosen.label) say("right");
  else say("wrong", label);
}

// Say that it is what it is perhaps.
function accept() {
  if (chosen?.nearest !== undefined) relabel(chosen.nearest);
}

const REFUSALS = new Map([
  [splitAt, "To split a segment, stop the player where its label ends."],
  [moveStart, "To move the start of a segment, stop the player where it should be, before its end."],
  [moveEnd, "To move the end of a segment, stop the player where it should be, after its start."],
  [joinNext, "Nothing follows with which it could be joined."],
]);

// Change the boundaries of the chosen segment, by where the player is.
function reshape(change) {
  if (!chosen) return;
  const segment = chosen;
  const time = player.timeIn(segment);
  const next = asStep(segment, () => change(segment, time ?? segment.start));
  if (!next) {
    find("kept").textContent = REFUSALS.get(change);
  } else if (time === undefined || change === splitAt || change === restore) {
    showAgain(next);
  } else {
    player.become(next);
    chosen = next;
    showAgain();
  }
}

function undo() {
  if (!steps.length) return;
  const name = undoStep();
  layOut();
  showAgain(segmentNamed.get(name));
}

// Show what has changed in many places. next: the segment to go to; undefined: the chosen one stays where it is.
function showAgain(next) {
  showChips();
  showKept();
  refresh();
  if (next) choose(next);
  else showChosen();
  reveal();
}

function showKept() {
  find("undo").disabled = !steps.length;
  const { rows, unclear } = correctedRows();
  const looked = segments.filter(verdictOf).length;
  find("export").disabled = !rows.length;
  const said = [];
  if (looked) said.push(`${number(looked)} of ${plural(segments.length, "segment")} looked at; ${plural(rows.length, "row")} to train with.`);
  const made = new Map();
  for (const { label } of rows) if (!data.labels.includes(label)) made.set(label, (made.get(label) ?? 0) + 1);
  if (made.size) said.push(`New classes: ${[...made].map(([label, count]) => `${label} (${number(count)})`).join(", ")}.`);
  const lost = lostMarks();
  if (lost) said.push(`${plural(lost, "mark")} of an earlier recognition ${lost === 1 ? "fits" : "fit"} no segment of this one.`);
  if (unclear) said.push(`${plural(unclear, "segment")} left out: people in the same span of time have different labels.`);
  if (!isKept) said.push("This browser keeps nothing: export before you leave the page.");
  find("kept").textContent = said.join(" ");
}

function showLabels() {
  find("labels").replaceChildren(...[...labels].map((label) => element("option", { value: label })));
}

function showChips() {
  const counts = new Map();
  for (const label of segments.map(labelOf)) counts.set(label, (counts.get(label) ?? 0) + 1);
  for (const label of wanted.labels) if (!counts.has(label)) counts.set(label, 0);
  const chips = [...counts].sort(([a], [b]) => (a === null) - (b === null) || byName(a, b));
  find("chips").replaceChildren(
    ...chips.map(([label, count]) => {
      const chip = element("button", { className: "chip", ariaPressed: `${wanted.labels.has(label)}` });
      chip.append(swatch(label), isolated(labelText(label)), element("small", { textContent: number(count) }));
      chip.addEventListener("click", () => {
        if (!wanted.labels.delete(label)) wanted.labels.add(label);
        chip.ariaPressed = `${wanted.labels.has(label)}`;
        refresh();
      });
      return chip;
    }),
  );
}

// Select, sort and show anew. changed: the segment that is another one now, if only one is.
function refresh(changed) {
  select();
  const found = shownVideos();
  const failed = videos.filter((video) => video.error !== null);
  for (const name of VIEWS) {
    const isOn = name === view;
    find(name).hidden = !isOn;
    find(`tab-${name}`).ariaSelected = `${isOn}`;
    find(`tab-${name}`).tabIndex = isOn ? 0 : -1;
  }
  find("tab-failed").hidden = !failed.length;
  find("tab-failed").textContent = `Failed (${number(failed.length)})`;
  const some = isFiltered() ? `${number(shown.length)} of ${plural(segments.length, "segment")}` : plural(shown.length, "segment");
  find("matches").textContent = `${some} in ${plural(new Set(shown.map(({ video }) => video)).size, "video")}`;
  find("reset").hidden = !isFiltered();
  if (view === "videos") videoRows.show(found, videoHeight, changed && [changed.video]);
  if (view === "segments") segmentRows.show(shown, () => SEGMENT_HEIGHT, changed && [changed]);
  if (view === "sums") showSums();
  if (view === "failed") find("failed").replaceChildren(failedList());
  const isEmpty = view === "videos" ? !found.length : view !== "failed" && !shown.length;
  find("empty").hidden = !isEmpty;
  find("empty").textContent = segments.length ? "No segment is like that." : "Nothing was recognized.";
  ownLanes?.redraw();
}

function showSums() {
  labelSums.replaceChildren(labelTable());
  const rows = sums((segment) => JSON.stringify([segment.video.file, labelOf(segment), segment.person]));
  const place = new Map(videos.map((video, i) => [video, i]));
  rows.sort((a, b) => place.get(a.segment.video) - place.get(b.segment.video) || b.seconds - a.seconds);
  sumTable.setAttribute("aria-rowcount", `${rows.length + 1}`);
  sumTable.hidden = !rows.length;
  sumRows.show(rows, () => SUM_HEIGHT);
}

function open(name) {
  view = name;
  refresh();
}

function reset() {
  Object.assign(wanted, { labels: new Set(), least: 0, file: "", looked: "" });
  for (const id of ["file", "looked"]) find(id).value = "";
  find("least").value = 0;
  find("least-text").textContent = percent(0);
  showChips();
  refresh();
}

const SECONDS = 0.5; // that an arrow moves the player

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  p: () => player.toggle(chosen),
  " ": () => player.toggle(chosen),
  r: () => say(verdictOf(chosen) === "right" ? null : "right"),
  w: () => say(verdictOf(chosen) === "wrong" ? null : "wrong"),
  u: () => say(null),
  a: accept,
  l: () => find("label").focus(),
  s: () => reshape(splitAt),
  i: () => reshape(moveStart),
  "[": () => reshape(moveStart),
  o: () => reshape(moveEnd),
  "]": () => reshape(moveEnd),
  m: () => reshape(joinNext),
  t: () => chosen.whole && reshape(restore),
  z: undo,
  ArrowLeft: () => player.move(-SECONDS),
  ArrowRight: () => player.move(SECONDS),
  ",": () => player.move(-1 / 25),
  ".": () => player.move(1 / 25),
};

// Ctrl+Z is Z, and some keyboards have brackets with Alt only. All else with these keys is the browser's.
function isOurs({ key, ctrlKey, altKey, metaKey, shiftKey }) {
  if (key === "z" && ctrlKey !== metaKey) return !altKey && !shiftKey;
  if ("[]".includes(key) && altKey) return !metaKey;
  return !ctrlKey && !altKey && !metaKey;
}

addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (!isOurs(event) || !find("keys").checked || !chosen) return;
  if (target.matches("input:not([type=checkbox]), select")) return;
  if (key.length > 1 && target.matches("video, [role=tab]")) return; // these use arrows themselves
  if (key === " " && target.matches("button, summary, input, video")) return;
  const act = KEYS[key.length === 1 ? key.toLowerCase() : key];
  if (!act) return;
  event.preventDefault();
  act();
});

for (const name of VIEWS) {
  find(`tab-${name}`).addEventListener("click", () => open(name));
  find(`tab-${name}`).addEventListener("keydown", ({ key }) => {
    const there = VIEWS.filter((other) => !find(`tab-${other}`).hidden);
    const way = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!way) return;
    const next = there[(there.indexOf(name) + way + there.length) % there.length];
    open(next);
    find(`tab-${next}`).focus();
  });
}
find("next").addEventListener("click", () => step(1));
find("previous").addEventListener("click", () => step(-1));
find("play").addEventListener("click", KEYS.p);
find("right").addEventListener("click", KEYS.r);
find("wrong").addEventListener("click", KEYS.w);
find("accept").addEventListener("click", accept);
for (const [id, key] of Object.entries({ start: "i", end: "o", split: "s", join: "m", restore: "t", undo: "z" })) {
  find(id).addEventListener("click", KEYS[key]);
}
find("relabel").addEventListener("submit", (event) => {
  event.preventDefault();
  relabel(find("label").value);
  find("label").value = "";
  find("label").blur();
});
find("label").addEventListener("keydown", ({ key }) => key === "Escape" && find("label").blur());
find("file").addEventListener("keydown", ({ key }) => key === "Escape" && find("file").blur());
find("export").addEventListener("click", () => download("corrections.csv", csvOf(correctedRows().rows)));
find("reset").addEventListener("click", reset);
const filters = { file: (text) => text.trim().toLowerCase(), least: (text) => text / 100, looked: String, sort: String };
for (const [id, meaning] of Object.entries(filters)) {
  find(id).addEventListener("input", () => {
    wanted[id] = meaning(find(id).value);
    if (id === "least") find("least-text").textContent = percent(wanted.least);
    refresh();
  });
}
dark.addEventListener("change", () => {
  showChips();
  refresh();
  if (chosen) showChosen();
});
addEventListener("resize", () => ownLanes?.redraw());

const seconds = videos.reduce((sum, video) => sum + video.seconds, 0);
find("facts").textContent = `${plural(videos.length, "video")} · ${duration(seconds)} · ${plural(segments.length, "segment")}`;
if (data.thumbnails_left_out) {
  find("left-out").textContent = `${plural(data.thumbnails_left_out, "segment")} without a thumbnail, to keep this page small: the first ${number(data.thumbnails.length)} have one.`;
  find("left-out").hidden = false;
}
for (const { label } of verdicts.values()) if (label !== undefined) labels.add(label);
showLabels();
showChips();
showKept();
refresh();
choose(segments[0]);
