import type { CliDeps } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";

/** The option of every command that asks, for scripts. */
export const YES = ["--yes", "do not ask first"] as const;

/** Before what cannot be taken back: goes on with a yes, by the option or from the terminal. */
export async function agreed(
  { confirm }: Pick<CliDeps, "confirm">,
  yes: boolean | undefined,
  question: string,
): Promise<void> {
  if (yes || (await confirm(question))) return;
  throw new ExpectedFault("Nothing was changed. With --yes it is not asked.");
}
