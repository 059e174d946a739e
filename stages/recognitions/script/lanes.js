// A video's time line: a lane for each person, drawn on a canvas, since a video may have thousands of segments.
const LANE = { one: 26, several: 18, gap: 4, names: 22 };

const laneHeight = (video) => (video.persons.length > 1 ? LANE.several : LANE.one);
const lanesHeight = (video) => Math.max(1, video.persons.length) * (laneHeight(video) + LANE.gap);
const numbered = (video) => video.persons.some((person) => person !== null);

// isShown(segment), isChosen(segment): what is dimmed and outlined. onPick(segment): called for a click on one.
function lanesOf(video, { isShown, isChosen, onPick }) {
  const canvas = element("canvas", { className: "lanes", role: "img", ariaLabel: spoken(video) });
  canvas.style.height = `${lanesHeight(video)}px`;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const names = numbered(video) ? LANE.names : 0;
    const time = ((event.clientX - box.left - names) / (box.width - names)) * video.seconds;
    const person = video.persons[Math.floor((event.clientY - box.top) / (laneHeight(video) + LANE.gap))];
    return video.segments.find((s) => s.person === person && s.start <= time && time < s.end);
  };
  canvas.addEventListener("click", (event) => at(event) && onPick(at(event)));
  canvas.addEventListener("pointermove", (event) => {
    const segment = at(event);
    canvas.classList.toggle("on", Boolean(segment));
    canvas.title = segment ? `${labelText(segment.label)}, ${percent(segment.score)}, ${spanOf(segment)}` : "";
  });
  canvas.redraw = (seconds = null) => drawLanes(canvas, video, isShown, isChosen, seconds);
  return canvas;
}

const spanOf = (segment) => `${clock(segment.start)} – ${clock(segment.end)}`;

function spoken(video) {
  const first = video.segments.slice(0, 12).map((segment) => `${labelText(segment.label)} ${spanOf(segment)}`);
  const more = video.segments.length - first.length;
  return `Time line: ${first.join(", ") || "nothing was recognized"}${more > 0 ? `, and ${more} more` : ""}`;
}

function drawLanes(canvas, video, isShown, isChosen, seconds) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, width * scale);
  canvas.height = Math.max(1, height * scale);
  const style = getComputedStyle(canvas);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.textBaseline = "middle";
  const names = numbered(video) ? LANE.names : 0;
  const x = (time) => names + (time / (video.seconds || 1)) * (width - names);
  const tall = laneHeight(video);
  const top = new Map(video.persons.map((person, i) => [person, i * (tall + LANE.gap)]));
  for (const [person, y] of top) {
    pen.fillStyle = style.getPropertyValue("--track");
    pen.fillRect(names, y, width - names, tall);
    pen.fillStyle = style.getPropertyValue("--soft");
    pen.font = `12px ${style.fontFamily}`;
    if (names) pen.fillText(person === null ? "–" : `${person}`, 2, y + tall / 2 + 1);
  }
  pen.font = `500 12px ${style.fontFamily}`;
  for (const segment of video.segments) {
    const [from, y] = [x(segment.start), top.get(segment.person)];
    const wide = Math.max(1, x(segment.end) - from - 1);
    pen.globalAlpha = isShown(segment) ? 1 : 0.15;
    pen.fillStyle = colorOf(segment.label);
    pen.beginPath();
    pen.roundRect(from, y, wide, tall, Math.min(3, wide / 2));
    pen.fill();
    if (wide < 40 || !isShown(segment)) continue;
    pen.fillStyle = inkOn(segment.label);
    const text = fitting(pen, labelText(segment.label), wide - 12);
    if (text) pen.fillText(text, from + 6, y + tall / 2 + 1);
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = style.getPropertyValue("--ink");
  pen.lineWidth = 2;
  for (const segment of video.segments.filter(isChosen)) {
    const y = top.get(segment.person);
    pen.strokeRect(x(segment.start) + 1, y + 1, Math.max(2, x(segment.end) - x(segment.start) - 3), tall - 2);
  }
  if (seconds !== null) {
    pen.fillStyle = style.getPropertyValue("--ink");
    pen.fillRect(Math.min(x(seconds), width - 2), 0, 2, height - LANE.gap);
  }
}

// As much of a text as has room, or nothing.
function fitting(pen, text, room) {
  let end = Math.min(text.length, 60);
  if (end === text.length && pen.measureText(text).width <= room) return text;
  while (end > 2 && pen.measureText(`${text.slice(0, end)}…`).width > room) end--;
  return end > 2 ? `${text.slice(0, end)}…` : "";
}
