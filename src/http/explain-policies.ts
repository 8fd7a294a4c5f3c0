import { z } from "zod";
import { type Explanation, explainAccess, mayAskAboutItself } from "../broker/access/explain-access.ts";
import { ACCESS_CHECKS, CHECK_TEXTS } from "../domain/access-checks.ts";
import { mayOperate } from "../domain/client.ts";
import { organisationOf } from "../domain/id.ts";
import { type Milliseconds, rfc3339, rfc3339OrNull } from "../domain/instant.ts";
import { CLIENT_ACTIONS, DENIALS } from "../domain/policy.ts";
import { DENIAL_TEXTS, ruleText } from "../domain/policy-texts.en.ts";
import { Problem } from "../domain/problem.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import { route } from "./route.ts";
import {
  clientId,
  instant,
  line,
  minTtl,
  namedSubject,
  organisationId,
  purpose,
  serverId,
} from "./schemas.ts";

const remedy = z.enum(["client", "resource-owner", "operator", "time"]);
const ruleNumber = z.int().nullable().meta({ description: "Numbered from 1, as the policy has them." });

const explanation = z
  .object({
    allowed: z.boolean().meta({ description: "As far as the broker can tell: iManage has not been asked." }),
    at: instant,
    rule: ruleNumber.meta({ description: "The rule that allows it, or comes nearest to allowing it." }),
    rule_text: z.string().nullable(),
    problem: z
      .object({
        code: z.string(),
        title: z.string(),
        remedy,
        action: z.string(),
        retry_after: z.int().nullable(),
      })
      .nullable()
      .meta({ description: "What the request would be answered." }),
    reasons: z
      .array(
        z.object({
          reason: z.enum(["no_policy", ...DENIALS]),
          rule: ruleNumber,
          sentence: z.string(),
          remedy,
          action: z.string(),
          until: instant.nullable().meta({ description: "When it is gone by itself." }),
        }),
      )
      .meta({
        description: "Why the policy does not allow it: everything that stands against it, rule by rule.",
      }),
    checks: z
      .array(
        z.object({
          check: z.enum(ACCESS_CHECKS),
          outcome: z.enum(["passed", "failed", "not_reached"]),
          sentence: z.string(),
        }),
      )
      .meta({ description: "What a request meets, in this order, as far as it belongs to the action." }),
    limits: z
      .object({
        tokens_per_minute: z.int(),
        tokens_left: z.int().nullable().meta({ description: "How many may be asked for at this moment." }),
        grants_per_hour: z.int().nullable(),
        grants_left: z.int().nullable().meta({ description: "How many further ones within this hour." }),
        min_ttl_max: z.int().nullable().meta({ description: "Seconds: the longest life to ask for." }),
        told_until: instant.nullable().meta({ description: "A token is told to live no longer." }),
      })
      .nullable(),
    refreshes_first: z.boolean().meta({ description: "The token would have to be refreshed at iManage." }),
  })
  .meta({ id: "Explanation" });

const wholeSeconds = (ms: Milliseconds): number => Math.ceil(ms / 1_000);

export function explanationBody(of: Explanation): z.input<typeof explanation> {
  const { problem, limits, rule, verdict } = of;
  const left = limits?.left;
  const { minTtlMaxMs } = limits ?? {};
  return {
    allowed: of.allowed,
    at: rfc3339(of.at),
    rule: rule?.number ?? null,
    rule_text: rule === undefined ? null : ruleText(rule.rule),
    problem: problem
      ? {
          code: problem.code,
          title: PROBLEMS[problem.code].title,
          remedy: problem.remedy,
          action: problem.details.instead?.action ?? PROBLEMS[problem.code].action,
          retry_after:
            problem.details.retryAfterMs === undefined ? null : wholeSeconds(problem.details.retryAfterMs),
        }
      : null,
    reasons: verdict.allowed
      ? []
      : verdict.reasons.map(({ because, rule: at, until }) => ({
          reason: because,
          rule: at === undefined ? null : at + 1,
          ...DENIAL_TEXTS[because],
          until: rfc3339OrNull(until),
        })),
    checks: of.checks.map((one) => ({ ...one, sentence: CHECK_TEXTS[one.check] })),
    limits: limits
      ? {
          tokens_per_minute: limits.tokensPerMinute,
          tokens_left: left?.tokens ?? null,
          grants_per_hour: limits.grantsPerHour ?? null,
          grants_left: left?.grants ?? null,
          min_ttl_max: minTtlMaxMs === undefined ? null : wholeSeconds(minTtlMaxMs),
          told_until: rfc3339OrNull(limits.toldUntil),
        }
      : null,
    refreshes_first: of.refreshesFirst,
  };
}

export const postPoliciesExplain = route({
  method: "post",
  path: "/v1/policies/explain",
  operationId: "explainPolicy",
  summary: "Why a request is allowed or is not, also one that nobody has made",
  description:
    "Told by the very checks that the request would meet; nothing is counted or handed out. A client asks about itself, and is told no more than its requests would tell it: at the first check that fails it ends. An operator's client asks about any.",
  body: z.strictObject({
    client: clientId.optional().meta({ description: "You yourself if not given." }),
    organisation: organisationId.optional().meta({ description: "Or a server of it." }),
    server: serverId.optional(),
    action: z.enum(CLIENT_ACTIONS),
    subject: namedSubject
      .optional()
      .meta({ description: "Without one the answer is about the policy alone." }),
    purpose: purpose.optional(),
    min_ttl: minTtl,
    address: line(64)
      .optional()
      .meta({ description: "Where the request would come from; here if not given." }),
    at: z.iso.datetime({ offset: true }).optional().meta({
      description: "For the policy's hours and end. Everything else is told as it is now.",
    }),
  }),
  answer: { status: 200, description: "The explanation.", schema: explanation },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, body, record, note }) {
    const { client = caller.client, server } = body;
    const organisation = body.organisation ?? (server && organisationOf(server));
    if (organisation === undefined) throw missing("organisation", "is required, or a server");
    if (server !== undefined && organisationOf(server) !== organisation) throw new Problem("not_found");
    const operates = mayOperate(await record());
    if (!operates) {
      if (client !== caller.client) throw new Problem("not_found");
      await mayAskAboutItself(deps.explain, caller, organisation, server);
    }
    return explanationBody(
      await explainAccess(deps.explain, {
        ...{ client, organisation, server, note },
        ...{ action: body.action, subject: body.subject, purpose: body.purpose },
        minTtlMs: body.min_ttl === undefined ? undefined : body.min_ttl * 1_000,
        address: body.address ?? (operates && client !== caller.client ? undefined : caller.address),
        at: body.at === undefined ? undefined : Date.parse(body.at),
      }),
    );
  },
});

const missing = (field: string, message: string): Problem =>
  new Problem("invalid_request", { faults: [{ field, message }] });
