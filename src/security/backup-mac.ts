import { createHmac } from "node:crypto";
import type { BackupMac } from "../broker/backup/ports.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { equalInConstantTime } from "./compare.ts";
import { rootKeyMissing } from "./integrity.ts";
import type { RootKeyset } from "./root-keyset.ts";

const FORM = "b1";
const MAC_BYTES = 32;

/** Each MAC is made over the one before it and over what stands between them: parts can neither be moved nor left out. */
export function makeBackupMac(rootKeyset: RootKeyset): BackupMac {
  return {
    begin(rootKey = rootKeyset.primary) {
      const key = rootKeyset.findKey("backup", rootKey);
      if (key === undefined) throw rootKeyMissing(rootKey);
      let before: Buffer = Buffer.alloc(0);
      const next = (text: string): Buffer => {
        before = createHmac("sha256", key)
          .update(`${FORM}:${before.length}:`)
          .update(before)
          .update(`${Buffer.byteLength(text)}:`)
          .update(text)
          .digest();
        return before;
      };
      return {
        rootKey,
        next: (text) => encodeBase64url(next(text)),
        matches(text, mac) {
          const bytes = decodeBase64url(mac, MAC_BYTES);
          const right = next(text);
          return bytes !== undefined && equalInConstantTime(right, bytes);
        },
      };
    },
  };
}
