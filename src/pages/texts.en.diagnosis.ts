import type { FindingState } from "../domain/diagnosis.ts";

/** What the page of a check says around the diagnosis' own sentences (`domain/diagnosis-texts.en.ts`). Part of `en`. */
export const diagnosis = {
  title: (server: string) => `Check of ${server}`,
  running: (server: string) => `Checking ${server}`,
  lead: "From its name in DNS to the last sign-in. It only looks: nobody is signed in, and nothing is changed at iManage.",
  wait: "It takes some seconds; with a server that does not answer, up to two minutes. If you leave this page it goes on, and what was found is kept.",
  none: "This server has not been checked yet.",
  check: "Check this server",
  checkAgain: "Check again",
  limit: "At most once a minute: iManage is really asked each time.",
  tooSoon: (seconds: number) =>
    `It was checked less than a minute ago, and this is what was found. It can be checked again in ${seconds === 1 ? "1 second" : `${seconds} seconds`}.`,
  alreadyRunning: "It is being checked at this moment. What is shown here is the check before it.",
  look: "Look whether it is done",
  looking: (step: string) => `Looking at: ${step}`,
  stopped: "It ended here.",
  when: (time: string, distance: string) => `Checked on ${time}, ${distance}.`,
  otherConfiguration:
    "The server or its client secret was changed here since this check. Check again to see what holds now.",
  attend: "What is not well",
  steps: "Step by step",
  states: {
    ok: "In order",
    warning: "Worth a look",
    failed: "Wrong",
    not_known: "Cannot be told",
    skipped: "Not looked at",
  } satisfies Readonly<Record<FindingState, string>>,
  seen: "What was seen",
  means: "What it means",
  who: "Who changes it",
  remedy: "What to do",
  since: {
    title: "Compared with when it worked",
    none: "There is no good check from before to compare with.",
    same: (when: string) =>
      `It was good on ${when}. Nothing that got worse, and nothing else that was looked at, is otherwise since.`,
    changed: (when: string) => `It was good on ${when}. This is otherwise since:`,
    was: "Then",
    is: "Now",
  },
  result: "Open the result",
  toResult: "This result is kept. You find it again with the server, under the last check.",
  support: {
    title: "If this does not help",
    contact: (contact: string) => `Ask ${contact}, and send the support bundle along.`,
    note: "What support needs to see of this server: its registration as it is known here, what was found, codes and request ids. It holds no secret and names no person. Look through it before you send it.",
    download: "Download the support bundle",
  },
} as const;
