import { createHmac, type KeyObject } from "node:crypto";
import type { RecordMac } from "../broker/ports.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { equalInConstantTime } from "./compare.ts";
import { rootKeyMissing } from "./integrity.ts";
import { ROOT_KEY_ID, type RootKeyset } from "./root-keyset.ts";

/** `m1.<root key id>.<HMAC-SHA-256, base64url>.<text>`. The text stays readable: it is not secret, it must be ours. */
const FORM = "m1";
const MAC_BYTES = 32;

/** Under the primary root key; what was sealed under an active one goes on opening, until it is sealed anew. */
export function makeRecordMac(rootKeyset: RootKeyset): RecordMac {
  return {
    seal(place, text) {
      const root = rootKeyset.primary;
      const tag = encodeBase64url(mac(rootKeyset.key("record-mac", root), place, text));
      return `${FORM}.${root}.${tag}.${text}`;
    },

    open(place, stored) {
      const parts = split(stored);
      if (parts === undefined) return undefined;
      const key = rootKeyset.findKey("record-mac", parts.root);
      // An altered id looks like a missing key. It opens nothing either way, and the operator can mend only what is named.
      if (key === undefined) throw rootKeyMissing(parts.root);
      return equalInConstantTime(mac(key, place, parts.text), parts.tag) ? parts.text : undefined;
    },

    rootKeyOf: (stored) => split(stored)?.root,
    isCurrent: (stored) => split(stored)?.root === rootKeyset.primary,
  };
}

/** Every part has its length in front: no two triples run together (the place holds what others choose in part). */
function mac(key: KeyObject, place: string, text: string): Buffer {
  const hmac = createHmac("sha256", key);
  for (const part of [FORM, place, text]) hmac.update(`${Buffer.byteLength(part)}:`).update(part);
  return hmac.digest();
}

function split(stored: string): { root: string; tag: Buffer; text: string } | undefined {
  const [form, root = "", tag = ""] = stored.split(".", 3);
  if (form !== FORM || !ROOT_KEY_ID.test(root)) return undefined;
  const bytes = decodeBase64url(tag, MAC_BYTES);
  const head = form.length + root.length + tag.length + 3;
  if (bytes === undefined || stored.length < head) return undefined;
  return { root, tag: bytes, text: stored.slice(head) };
}
