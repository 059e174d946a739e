// A video's time line: lanes drawn on a canvas, since a video may have thousands of segments, and a mark on top of it
// for the time that is played, which moves without anything being drawn again.
const LANE = { one: 26, several: 18, gap: 4, names: 22 };

// So many people have a lane each. More share lanes with those who are not there at the same time.
const OWN_LANES = 12;

// So many lanes are drawn at most: browsers limit the size of a canvas.
const MOST_LANES = 100;

for (const video of videos) {
  video.lanes = laidOut(video);
  video.laneCount = Math.max(1, new Set(video.lanes.values()).size);
}

const numbered = (video) => video.persons.some((person) => person !== null);
const isShared = (video) => video.persons.length > OWN_LANES;
const laneHeight = (video) => (video.laneCount > 1 ? LANE.several : LANE.one);
const lanesHeight = (video) => video.laneCount * (laneHeight(video) + LANE.gap);
const laneTop = ({ video, person }) => (video.lanes.get(person) ?? 0) * (laneHeight(video) + LANE.gap);
const namesWidth = (video) => (numbered(video) && !isShared(video) ? LANE.names : 0);

// The number of each person's lane. People for whom no lane is free are left out.
function laidOut({ persons, segments }) {
  if (persons.length <= OWN_LANES) return new Map(persons.map((person, i) => [person, i]));
  const stays = new Map();
  for (const { person, start, end } of segments) {
    const stay = stays.get(person) ?? { person, start, end };
    stays.set(person, { person, start: Math.min(stay.start, start), end: Math.max(stay.end, end) });
  }
  const [lanes, free] = [new Map(), []]; // from when each lane is free
  for (const { person, start, end } of [...stays.values()].sort((a, b) => a.start - b.start)) {
    let lane = free.findIndex((time) => time <= start);
    if (lane < 0) lane = free.length;
    if (lane === MOST_LANES) continue;
    free[lane] = end;
    lanes.set(person, lane);
  }
  return lanes;
}

// What is to be said of people without a lane; empty if there are none.
function leftOut({ persons, lanes }) {
  const count = persons.length - lanes.size;
  if (!count) return "";
  const people = count === 1 ? "1 person is" : `${number(count)} people are`;
  return `${people} not drawn here, since more than ${MOST_LANES} are there at once: see Segments.`;
}

// isShown(segment), isChosen(segment): what is dimmed and outlined. onPick(segment): called for a click on one.
function lanesOf(video, { isShown, isChosen, onPick }) {
  const canvas = element("canvas", { role: "img", ariaLabel: spoken(video) });
  canvas.style.height = `${lanesHeight(video)}px`;
  const mark = element("i", { className: "mark", hidden: true });
  const lanes = element("div", { className: "lanes" }, canvas, mark);
  const names = namesWidth(video);
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const time = ((event.clientX - box.left - names) / (box.width - names)) * video.seconds;
    const lane = Math.floor((event.clientY - box.top) / (laneHeight(video) + LANE.gap));
    return video.segments.find((s) => video.lanes.get(s.person) === lane && s.start <= time && time < s.end);
  };
  lanes.addEventListener("click", (event) => at(event) && onPick(at(event)));
  lanes.addEventListener("pointermove", (event) => {
    const segment = at(event);
    lanes.classList.toggle("on", Boolean(segment));
    lanes.title = segment ? `${laneText(segment)}, ${percent(segment.score)}, ${spanOf(segment)}` : "";
  });
  let waiting = false; // to draw once a picture of the screen, however much changes
  lanes.redraw = () => {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  };
  const draw = () => {
    waiting = false;
    drawLanes(canvas, video, isShown, isChosen);
  };
  lanes.markTime = (seconds) => {
    mark.hidden = false;
    mark.style.left = `calc(${names}px + (100% - ${names + 2}px) * ${Math.min(1, seconds / (video.seconds || 1))})`;
  };
  return lanes;
}

const spanOf = (segment) => `${clock(segment.start)} – ${clock(segment.end)}`;

// Lanes that people share have no name at their beginning.
function laneText(segment) {
  const { video, person } = segment;
  const label = labelOf(segment) ?? (segment.nearest === undefined ? NONE : `${segment.nearest}?`);
  const text = `${{ right: "✓ ", wrong: isRefused(segment) ? "✗ " : "→ " }[verdictOf(segment)] ?? ""}${label}`;
  return isShared(video) ? `${person}: ${text}` : text;
}

function spoken(video) {
  const first = video.segments.slice(0, 12).map((segment) => `${labelText(labelOf(segment))} ${spanOf(segment)}`);
  const more = video.segments.length - first.length;
  return `Time line: ${first.join(", ") || "nothing was recognized"}${more > 0 ? `, and ${more} more` : ""}`;
}

function drawLanes(canvas, video, isShown, isChosen) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, width * scale);
  canvas.height = Math.max(1, height * scale);
  const style = getComputedStyle(canvas);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.textBaseline = "middle";
  const names = namesWidth(video);
  const x = (time) => names + (time / (video.seconds || 1)) * (width - names);
  const tall = laneHeight(video);
  pen.fillStyle = style.getPropertyValue("--track");
  for (let i = 0; i < video.laneCount; i++) pen.fillRect(names, i * (tall + LANE.gap), width - names, tall);
  pen.fillStyle = style.getPropertyValue("--soft");
  pen.font = `12px ${style.fontFamily}`;
  if (names) {
    for (const [person, i] of video.lanes) {
      pen.fillText(person === null ? "–" : `${person}`, 2, i * (tall + LANE.gap) + tall / 2 + 1);
    }
  }
  pen.font = `500 12px ${style.fontFamily}`;
  const drawn = video.segments.filter(({ person }) => video.lanes.has(person));
  const covered = new Map(); // to where, by lane
  for (const segment of drawn) {
    const [from, y] = [x(segment.start), laneTop(segment)];
    if (x(segment.end) < (covered.get(y) ?? 0) + 1) continue; // of those in one pixel, the first is seen
    covered.set(y, x(segment.end));
    const wide = Math.max(1, x(segment.end) - from - 1);
    pen.globalAlpha = !isShown(segment) ? 0.15 : isRefused(segment) ? 0.45 : 1;
    pen.fillStyle = colorOf(labelOf(segment));
    if (wide < 3) {
      pen.fillRect(from, y, wide, tall); // which takes less time
      continue;
    }
    pen.beginPath();
    pen.roundRect(from, y, wide, tall, Math.min(3, wide / 2));
    pen.fill();
    if (wide < 40 || !isShown(segment)) continue;
    pen.fillStyle = isRefused(segment) ? style.getPropertyValue("--ink") : inkOn(labelOf(segment));
    const text = fitting(pen, laneText(segment), wide - 12);
    if (text) pen.fillText(text, from + 6, y + tall / 2 + 1);
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = style.getPropertyValue("--ink");
  pen.lineWidth = 2;
  for (const segment of drawn.filter(isChosen)) {
    const y = laneTop(segment);
    pen.strokeRect(x(segment.start) + 1, y + 1, Math.max(2, x(segment.end) - x(segment.start) - 3), tall - 2);
  }
}

// As much of a text as has room, or nothing.
function fitting(pen, text, room) {
  let end = Math.min(text.length, 60);
  if (end === text.length && pen.measureText(text).width <= room) return text;
  while (end > 2 && pen.measureText(`${text.slice(0, end)}…`).width > room) end--;
  return end > 2 ? `${text.slice(0, end)}…` : "";
}
