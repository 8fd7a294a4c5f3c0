import { integer } from "./kinds.ts";

export const syncSettings = {
  SYNC_SPACE_MAX_MIB: integer(1, 1_048_576)
    .default(2_048)
    .describe(
      "Mebibytes of Redis' memory that the syncs of one organisation may take: of each object its id and a digest (some 150 bytes), and a week of changes. At the cap they are parked as `sync_quota_exceeded`, and nothing is lost.",
    ),
};
