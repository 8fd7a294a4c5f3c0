/**
 * A key of ours without what differs from one key to the next: `…` stands for ids, digests, names of queues and whatever else is
 * no word of the layout. `b1:{o:…}:` in front says nothing and goes.
 */
export function kindOfKey(key: string): string {
  const match = /^b1:\{(o|s|q):([^}]*)\}:?(.*)$/.exec(key);
  if (match === null) return key;
  const [, tag, noun, rest = ""] = match;
  if (tag === "q") return "{q:…}";
  const kind = rest
    .split(":")
    .map((part, at) => (WORD.test(part) && (at === 0 || WORDS_BEHIND.has(part)) ? part : "…"));
  return `${tag === "s" ? `{s:${noun}}` : ""}${kind.join(":")}`;
}

/** Ids have an underscore, digests a capital letter or a length. */
const WORD = /^[a-z]+(?:-[a-z]+)*$/;
/** Words that may stand behind another; whatever else does is an id, a digest, a state or a name. */
const WORDS_BEHIND = new Set([
  "open",
  "rotation",
  "organisations",
  "data-keys",
  "refresh",
  "sync",
  "expiry",
  "delivery",
  "later",
]);
