#!/usr/bin/env bash
# A client of the token broker with curl, jq and openssl. ../README.md says how to run it.
set -euo pipefail

# Secrets go to curl by file descriptors: everybody on the machine may read a command line.
basic() { printf 'user = "%s:%s"\n' "$CLIENT_ID" "$(<"$CLIENT_SECRET_FILE")"; }

# broker METHOD PATH [BODY]; the body is a filter of jq, which takes words from the environment.
broker() {
  local answer status
  answer=$(if [[ ${3:-} ]]; then jq -nc "$3"; fi |
    curl -sS -X "$1" -K <(basic) "$BROKER_URL$2" -w '\n%{http_code}' --max-time 90 \
      ${3:+-H 'content-type: application/json' --data-binary @-})
  status=${answer##*$'\n'} answer=${answer%$'\n'*}
  if ((status >= 400)); then refused "$answer"; fi
  printf '%s\n' "$answer"
}

# A refusal says who must act and how (RFC 9457).
refused() {
  jq -r '"\(.title) \(.action) (\(.code))"' <<<"$1" >&2
  case $(jq -r '"\(.code) \(.remedy)"' <<<"$1") in
    cursor_expired*) rm -f "$CURSOR_FILE" ;; # what was kept for us is gone: the next run takes the snapshot
    *' time') exit 75 ;;                     # "temporary failure": the same call again, after Retry-After
  esac
  exit 1
}

# Ask whenever you need one: the broker answers from its store, and refreshes ahead.
token() {
  local answer status wish="{server: env.SERVER, subject: $PERSON, rejected: env.rejected}"
  answer=$(broker POST /v1/access-tokens "$wish | del(.[] | nulls)")
  # To iManage and nowhere else.
  status=$(curl -sS -o /dev/null -w '%{http_code}' -H @<(jq -r '"\(.header): \(.access_token)"' <<<"$answer") \
    "$(jq -r '"\(.api_base_url)/work/api/v2/customers/\(.customer_id)/libraries"' <<<"$answer")")
  if [[ $status == 401 && ! ${rejected:-} ]]; then # reported, and another token asked for
    rejected=$(jq -r .fingerprint <<<"$answer") token
  else
    echo "iManage answered $status"
  fi
}

connect() {
  local session id returned
  session=$(broker POST /v1/connect-sessions "{server: env.SERVER, return_url: env.RETURN_URL, subject: $PERSON}")
  echo "Open: $(jq -r .start_url <<<"$session")"
  # In an app this is the page at RETURN_URL, for the browser that began it and for the person signed in there now.
  echo "Then paste the address at which the browser came back, at once:"
  read -r returned
  id=$(jq -r .id <<<"$session")
  if [[ $returned != *"connect_session=$id"* ]]; then echo "Another session came back: run this again." >&2; exit 1; fi
  returned=${returned#*completion=}
  completion=${returned%%&*} broker POST "/v1/connect-sessions/$id/complete" \
    "{completion: env.completion, subject: $PERSON}" | jq -r '"Connected \(env.user): \(.grant)"'
}

# HMAC-SHA256 (RFC 2104) of standard input; the key in hexadecimal digits. openssl would want it on its command line.
hmac() {
  local key i byte
  key=$(printf %-128s "$1" | tr ' ' 0) # a key of the broker is shorter than a block
  pad() { for ((i = 0; i < 128; i += 2)); do printf -v byte '\\x%x' $((0x${key:i:2} ^ $1)); printf %b "$byte"; done; }
  { pad 0x36; cat; } | openssl dgst -sha256 -binary | { pad 0x5c; cat; } | openssl dgst -sha256 -binary | base64
}

# Standard Webhooks: over the body as it came, byte for byte, before anybody has parsed it.
verify() {
  local key ours each fits=0 age=$(($(date +%s) - WEBHOOK_TIMESTAMP))
  key=$(sed s/^whsec_// "$WEBHOOK_SECRET_FILE" | base64 -d | od -An -v -tx1 | tr -d ' \n')
  body=$(cat; echo .) body=${body%.} # as it came, with what newlines it ends with
  ours=v1,$(printf '%s.%s.%s' "$WEBHOOK_ID" "$WEBHOOK_TIMESTAMP" "$body" | hmac "$key")
  for each in $WEBHOOK_SIGNATURE; do # several while a secret is changed; digests are compared: time tells nothing
    if [[ $(openssl dgst -sha256 <<<"$each") == "$(openssl dgst -sha256 <<<"$ours")" ]]; then fits=1; fi
  done
  if ((!fits || age > 300 || age < -300)); then echo "Not the broker's, or old." >&2; exit 1; fi
  jq -r .type <<<"$body"
}

changes() {
  local id page
  id=$(broker POST /v1/syncs '{server: env.SERVER, library: env.LIBRARY}' | jq -r .id)
  if [[ ! -e $CURSOR_FILE ]]; then
    page=$(broker GET "/v1/syncs/$id/snapshot")
    if [[ $(jq -rs last.kind <<<"$page") != snapshot.end ]]; then echo "It was cut short: run this again." >&2; exit 1; fi
    jq -rs '"snapshot of \(length - 2) documents"' <<<"$page"
    jq -rs first.cursor <<<"$page" >"$CURSOR_FILE"
  fi
  while :; do # to follow: add &wait=30, and go on for ever
    page=$(broker GET "/v1/syncs/$id/changes?limit=500&cursor=$(<"$CURSOR_FILE")")
    jq -r '.items[] | "\(.kind) \(.object) \(.document.name // "")"' <<<"$page"
    jq -r .cursor <<<"$page" >"$CURSOR_FILE" # in your app: in the transaction that applies the changes
    if jq -e '.items == []' <<<"$page" >/dev/null; then break; fi
  done
}

export SERVER LIBRARY RETURN_URL user="${2:-}" PERSON='{type: "user", id: env.user}'
"$1" # token USER | connect USER | verify | changes
