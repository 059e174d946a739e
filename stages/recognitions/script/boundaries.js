// Boundaries that somebody has set. What they claim for a segment is cut out of all others of the same person, so that
// neighbors give way, and never overlap. Kept by the browser.
const claimShelf = `${shelf} splits`;
const claims = new Map([...stored(claimShelf)].map(([name, kept]) => [name, spansOf(name, kept)]));
shelves.set(claims, claimShelf);
const LEAST_PART = 0.1; // seconds; what is left of a segment is no part of it if it is shorter
const segmentNamed = new Map(); // segments as they are now

// Spans that are claimed for a segment, from what is kept: spans, or, by earlier pages, times at which it was split.
function spansOf(name, kept) {
  if (kept.every(Array.isArray)) return kept;
  const [, start, end] = JSON.parse(name);
  const edges = [start, ...kept, end];
  return edges.slice(1).map((edge, i) => [edges[i], edge]);
}

const wholeOf = (segment) => segment.whole ?? segment;
const hasSpan = (segment, start, end) => segment.start === start && segment.end === end;
const laneOf = ({ video, person }) => video.segments.filter((segment) => segment.person === person);
const recognizedBeside = ({ video, person }) => video.recognized.filter((segment) => segment.person === person);

// What claims make of the segments of one person that were recognized, in order of time.
function partsOf(recognized) {
  const claimed = recognized.flatMap((segment) =>
    (claims.get(segment.name) ?? []).map(([start, end]) => partOf(segment, start, end)),
  );
  if (!claimed.length) return recognized;
  claimed.sort((a, b) => a.start - b.start);
  const parts = [...claimed];
  let first = 0;
  for (const segment of recognized) {
    while (first < claimed.length && claimed[first].end <= segment.start) first++;
    let { start } = segment;
    let i = first;
    for (; i < claimed.length && claimed[i].start < segment.end; i++) {
      if (claimed[i].start >= start + LEAST_PART) parts.push(partOf(segment, start, claimed[i].start));
      start = Math.max(start, claimed[i].end);
    }
    if (i === first || segment.end >= start + LEAST_PART) parts.push(partOf(segment, start, segment.end));
  }
  return parts;
}

function partOf(whole, start, end) {
  if (start === whole.start && end === whole.end) return whole;
  const middle = (whole.start + whole.end) / 2; // which the thumbnail shows
  const thumbnail = start <= middle && middle < end ? whole.thumbnail : -1;
  const part = named({ ...whole, start, end, thumbnail, whole });
  return segmentNamed.get(part.name) ?? part;
}

function layOut(changed = videos) {
  for (const video of changed) {
    const lanes = new Map(video.persons.map((person) => [person, []]));
    for (const segment of video.recognized) lanes.get(segment.person).push(segment);
    const parts = [...lanes.values()].flatMap(partsOf);
    video.segments = parts.sort((a, b) => a.start - b.start || a.person - b.person);
  }
  segments.length = 0;
  segmentNamed.clear();
  for (const { segments: own } of videos) {
    for (const segment of own) {
      segment.place = segments.push(segment) - 1;
      segmentNamed.set(segment.name, segment);
    }
  }
}

// Change claims on the time of a segment's person by change(). parentOf(part, before): the segment that a new part was
// before, if what was said of it is still true.
function claiming({ video, person }, change, parentOf = () => undefined) {
  const before = laneOf({ video, person });
  change();
  endNeedless({ video, person });
  layOut([video]);
  const said = new Map(before.map(({ name }) => [name, verdicts.get(name)]));
  for (const { name } of before) if (!segmentNamed.has(name)) put(verdicts, name, undefined);
  for (const part of laneOf({ video, person })) {
    if (!said.has(part.name)) put(verdicts, part.name, said.get(parentOf(part, before)?.name));
  }
  keep();
}

// Claim a span for one segment. What was said of it is true of the span, and what was said of others of what they keep.
function take(segment, start, end) {
  claiming(
    segment,
    () => claim(segment, start, end),
    (part, before) => {
      if (hasSpan(part, start, end)) return segment;
      return before.find((own) => own !== segment && own.start <= part.start && part.end <= own.end);
    },
  );
}

// Claim a span for a segment, and end all other claims on that time.
function claim(segment, start, end) {
  for (const { name } of recognizedBeside(segment)) {
    const own = claims.get(name);
    if (!own?.some(([from, to]) => from < end && start < to)) continue;
    const sides = own.flatMap(([from, to]) => [
      [from, Math.min(to, start)],
      [Math.max(from, end), to],
    ]);
    setClaims(
      name,
      sides.filter(([from, to]) => to >= from + LEAST_PART),
    );
  }
  const { name } = wholeOf(segment);
  setClaims(name, [...(claims.get(name) ?? []), [start, end]]);
}

// End the claims that change nothing, as what others leave of the segment is the same. So it gets its time back when the
// others end.
function endNeedless(lane) {
  const beside = recognizedBeside(lane).filter(({ name }) => claims.has(name));
  const all = beside.flatMap(({ name }) => claims.get(name));
  const [starts, ends] = [0, 1].map((i) => new Set(all.map((span) => span[i])));
  for (const { name, start, end } of beside) {
    const needed = claims.get(name).filter(([from, to]) => {
      if ((from !== start && !ends.has(from)) || (to !== end && !starts.has(to)) || from < start || to > end) return true;
      starts.delete(from);
      ends.delete(to);
      return false;
    });
    if (needed.length < claims.get(name).length) setClaims(name, needed);
  }
}

const setClaims = (name, spans) => put(claims, name, spans.length ? spans : undefined);

const spanning = (segment, start, end) => laneOf(segment).find((other) => hasSpan(other, start, end));
const rounded = (seconds) => Math.round(100 * seconds) / 100;

// Each of these returns what the segment has become; undefined if a part would be too short to be one.
function splitAt(segment, seconds) {
  const time = rounded(seconds);
  const { start, end } = segment;
  if (time < start + LEAST_PART || end < time + LEAST_PART) return undefined;
  claiming(segment, () => {
    claim(segment, start, time);
    claim(segment, time, end);
  });
  return spanning(segment, start, time);
}

// A neighbor that touches a boundary moves with it, instead of leaving a gap.
function moveStart(segment, seconds) {
  const time = Math.max(0, rounded(seconds));
  const { start, end } = segment;
  if (time === start || end < time + LEAST_PART) return undefined;
  const before = time > start && laneOf(segment).find((other) => other.end === start);
  if (before) take(before, before.start, time);
  else take(segment, time, end);
  return spanning(segment, time, end);
}

function moveEnd(segment, seconds) {
  const time = Math.min(segment.video.seconds, rounded(seconds));
  const { start, end } = segment;
  if (time === end || time < start + LEAST_PART) return undefined;
  const after = time < end && laneOf(segment).find((other) => other.start === end);
  if (after) take(after, time, after.end);
  else take(segment, start, time);
  return spanning(segment, start, time);
}

// Make the next segment of the same person a part of this one, whatever its label. Undefined if there is none.
function joinNext(segment) {
  const after = laneOf(segment).find((other) => other.start >= segment.end);
  if (!after) return undefined;
  take(segment, segment.start, after.end);
  return spanning(segment, segment.start, after.end);
}

// Let a segment be as it was recognized.
function restore(segment) {
  const whole = wholeOf(segment);
  const unclaim = () => {
    for (const { name } of recognizedBeside(whole)) {
      const own = name === whole.name ? [] : (claims.get(name) ?? []);
      setClaims(
        name,
        own.filter(([start, end]) => end <= whole.start || whole.end <= start),
      );
    }
  };
  claiming(whole, unclaim, (part, before) => {
    if (wholeOf(part) === whole) return undefined; // what was said of parts is not said of the whole
    return before.find((own) => own.start <= part.start && part.end <= own.end);
  });
  return whole;
}

layOut();
