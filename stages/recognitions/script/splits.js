// Segments that somebody has split, since their label is true of a part of them only. Kept by the browser.
const splitShelf = `${shelf} splits`;
const splits = stored(splitShelf); // times, by the name of the segment that was recognized
const LEAST_PART = 0.1; // seconds

function partsOf(segment) {
  const times = splits.get(segment.name);
  if (!times) return [segment];
  const ends = [...times, segment.end];
  const middle = (segment.start + segment.end) / 2; // which the thumbnail shows
  return ends.map((end, i) => {
    const start = i ? ends[i - 1] : segment.start;
    const thumbnail = start <= middle && middle < end ? segment.thumbnail : -1;
    return named({ ...segment, start, end, thumbnail, whole: segment });
  });
}

function layOut() {
  segments.length = 0;
  for (const video of videos) {
    video.segments = video.recognized.flatMap(partsOf);
    for (const segment of video.segments) segment.place = segments.push(segment) - 1;
  }
}

// Split a segment at a time in it. Returns its first part; undefined if a part would be too short to be one.
function splitAt(segment, seconds) {
  const time = Math.round(100 * seconds) / 100;
  if (time < segment.start + LEAST_PART || time > segment.end - LEAST_PART) return undefined;
  const { name } = segment.whole ?? segment;
  splits.set(name, [...(splits.get(name) ?? []), time].sort((a, b) => a - b));
  verdicts.delete(segment.name);
  keepSplits();
  return segments[segment.place];
}

// Put the parts of a segment together again. Returns it.
function joinParts({ whole }) {
  for (const part of partsOf(whole)) verdicts.delete(part.name);
  splits.delete(whole.name);
  keepSplits();
  return whole;
}

function keepSplits() {
  store(splitShelf, splits);
  store(shelf, verdicts);
  layOut();
}

layOut();
