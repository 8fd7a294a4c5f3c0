import { compactVerify } from "jose";
import { ALGORITHM, signAssertions, type TokenBroker } from "./token-broker.ts";

/** Signatures that one core verifies in a second when it does nothing else: by jose, as the broker does it, one after the other. */
export async function verificationsPerSecond(broker: TokenBroker, count: number): Promise<number> {
  const assertions = await signAssertions(broker, count);
  const verify = (assertion: string) =>
    compactVerify(assertion, broker.keys.publicKey, { algorithms: [ALGORITHM] });
  for (const assertion of assertions) await verify(assertion);
  const startedAt = performance.now();
  for (const assertion of assertions) await verify(assertion);
  return (count * 1_000) / (performance.now() - startedAt);
}
