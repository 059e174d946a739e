// Rows of the views: videos, segments, sums, and what failed.
const VIDEO_HEAD = 46;
const SEGMENT_HEIGHT = 84;
const SUM_HEIGHT = 36;

function verdictBadge(segment) {
  const verdict = verdictOf(segment);
  if (!verdict) return "";
  const label = chosenLabel(segment);
  if (verdict === "right") return element("span", { className: "badge right" }, "✓ right");
  if (label === undefined) return element("span", { className: "badge wrong" }, "✗ wrong, left out of the export");
  return element("span", { className: "badge wrong" }, "→ ", isolated(label));
}

function segmentRow(segment, i) {
  const picture = pictureOf(segment);
  const row = element(
    "div",
    { className: "segment", role: "option", id: `segment-${segment.place}`, ariaSelected: `${segment === chosen}` },
    picture ? element("img", { src: picture, alt: "" }) : element("span", { className: "blank", ariaHidden: "true" }),
    element(
      "div",
      { className: "what" },
      element("div", { className: "label" }, swatch(segment.label), isolated(foundText(segment)), verdictBadge(segment)),
      element("div", { className: "soft where" }, isolated(segment.video.file)),
    ),
    element(
      "div",
      { className: "when" },
      spanOf(segment),
      element("br"),
      element("small", { textContent: segment.person === null ? "" : `person ${segment.person}` }),
    ),
    scoreBar(segment.score),
  );
  row.ariaPosInSet = `${i + 1}`;
  row.ariaSetSize = `${shown.length}`;
  row.addEventListener("click", () => choose(segment, true));
  return row;
}

function scoreBar(score) {
  const fill = element("span");
  fill.style.width = `${100 * (score ?? 0)}%`;
  const bar = element("span", { className: "score-bar", ariaHidden: "true" }, fill);
  return element("div", { className: "score" }, element("span", { textContent: percent(score) }), bar);
}

const LINE_HEIGHT = 24;
const videoHeight = (video) =>
  VIDEO_HEAD + lanesHeight(video) + LINE_HEIGHT * (Boolean(leftOut(video)) + (video.error !== null)) + 14;

function videoRow(video) {
  const lanes = lanesOf(video, lanesOptions);
  const row = element(
    "div",
    { className: "video", role: "listitem" },
    element(
      "div",
      { className: "head" },
      isolated(video.file, "name"),
      element("span", { className: "soft", textContent: videoFacts(video) }),
    ),
    lanes,
  );
  if (leftOut(video)) row.append(element("p", { className: "note line", textContent: leftOut(video) }));
  if (video.error !== null) row.append(failureOf(video));
  lanes.redraw();
  return row;
}

function videoFacts(video) {
  if (!video.segments.length) return "";
  const people = numbered(video) ? `${plural(video.persons.length, "person").replace("persons", "people")} · ` : "";
  return `${people}${plural(video.segments.length, "segment")} · ${duration(video.seconds)}`;
}

function failureOf(video) {
  const what = video.windows ? `${plural(video.failed, "window")} of ${video.failed + video.windows} failed` : "failed";
  const text = `${what}: ${video.error}`;
  return element("p", { className: "trouble line", title: text }, isolated(text));
}

const lanesOptions = {
  isShown: (segment) => isShown.has(segment),
  isChosen: (segment) => segment === chosen,
  onPick: (segment) => choose(segment, true),
};

function cell(className, ...children) {
  return element("span", { className, role: "cell" }, ...children);
}

function sumRow(own, i) {
  const { segment, count, seconds, first, last } = own;
  const row = element(
    "div",
    { className: "sum", role: "row" },
    cell("file", isolated(segment.video.file)),
    cell("label", swatch(labelOf(segment)), isolated(labelText(labelOf(segment)))),
    cell("num", segment.person === null ? "" : `${segment.person}`),
    cell("num", number(count)),
    cell("num", duration(seconds)),
    cell("num", clock(first)),
    cell("num", clock(last)),
  );
  row.setAttribute("aria-rowindex", `${i + 2}`);
  return row;
}

function labelTable() {
  const rows = sums(labelOf).sort((a, b) => b.seconds - a.seconds);
  const all = rows.reduce((total, own) => total + own.seconds, 0);
  const body = element("tbody");
  for (const { segment, count, seconds, files } of rows) {
    const fill = element("span");
    fill.style.width = `${(100 * seconds) / (all || 1)}%`;
    fill.style.background = colorOf(segment.label);
    body.append(
      element(
        "tr",
        {},
        element("th", { scope: "row" }, swatch(labelOf(segment)), isolated(labelText(labelOf(segment)))),
        element("td", { className: "wide" }, element("span", { className: "share", ariaHidden: "true" }, fill)),
        ...[duration(seconds), percent(seconds / (all || 1)), number(count), number(files.size)].map((text) =>
          element("td", { className: "num", textContent: text }),
        ),
      ),
    );
  }
  const names = ["label", "", "how long", "share", "segments", "videos"];
  const head = names.map((name, i) => element("th", { scope: "col", className: i < 2 ? "" : "num", textContent: name }));
  return element("table", { className: "list" }, element("thead", {}, element("tr", {}, ...head)), body);
}

const SUM_COLUMNS = ["file", "label", "person", "segments", "how long", "first", "last"];

function sumHead() {
  const cells = SUM_COLUMNS.map((name, i) =>
    element("span", { role: "columnheader", className: i < 2 ? "" : "num", textContent: name }),
  );
  const row = element("div", { className: "sum head", role: "row" }, ...cells);
  row.setAttribute("aria-rowindex", "1");
  return row;
}

function failedList() {
  const failed = videos.filter((video) => video.error !== null && hasFile(video));
  const items = failed.map((video) => element("li", {}, isolated(video.file, "name"), failureOf(video)));
  return element("ul", { className: "failures" }, ...items);
}
