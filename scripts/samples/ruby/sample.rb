# A client of the token broker in Ruby, with the standard library alone. ../README.md says how to run it.
require "json"
require "net/http"
require "openssl"
require "socket"

SERVER, LIBRARY, RETURN_URL, CURSOR_FILE = ENV.values_at("SERVER", "LIBRARY", "RETURN_URL", "CURSOR_FILE")

def secret_in(name) = File.read(ENV.fetch(name)).strip

def send_to(url, request, headers = {})
  headers.each { |name, value| request[name] = value }
  Net::HTTP.start(url.host, url.port, use_ssl: url.scheme == "https", read_timeout: 90) { |http| http.request(request) }
end

def broker(method, path, body = nil)
  url = URI(ENV.fetch("BROKER_URL") + path)
  request = Net::HTTP.const_get(method).new(url)
  request.basic_auth(ENV.fetch("CLIENT_ID"), secret_in("CLIENT_SECRET_FILE"))
  request.body = JSON.generate(body) if body
  answer = send_to(url, request, body ? { "Content-Type" => "application/json" } : {})
  lines = answer.body.force_encoding("UTF-8").lines.map { |line| JSON.parse(line) }
  answer.is_a?(Net::HTTPSuccess) ? lines : refused(lines.first)
end

# A refusal says who must act and how (RFC 9457).
def refused(problem)
  code, title, action, remedy = problem.values_at("code", "title", "action", "remedy")
  File.delete(CURSOR_FILE) if code == "cursor_expired" # what was kept for us is gone: the next run takes the snapshot
  warn "#{title} #{action} (#{code})"
  exit remedy == "time" ? 75 : 1 # 75, "temporary failure": the same call again, after Retry-After
end

# Ask whenever you need one: the broker answers from its store, and refreshes ahead.
def token_for(user, more = {})
  broker("Post", "/v1/access-tokens", { server: SERVER, subject: { type: "user", id: user }, **more }).first
end

def libraries(token)
  url = URI("#{token["api_base_url"]}/work/api/v2/customers/#{token["customer_id"]}/libraries")
  send_to(url, Net::HTTP::Get.new(url), token["header"] => token["access_token"])
end

def token(user)
  token = token_for(user)
  answer = libraries(token)
  # Reported, and another token asked for.
  answer = libraries(token_for(user, rejected: token["fingerprint"])) if answer.code == "401"
  puts "iManage answered #{answer.code}"
end

def connect(user)
  subject = { type: "user", id: user }
  wish = { server: SERVER, subject: subject, return_url: RETURN_URL }
  session = broker("Post", "/v1/connect-sessions", wish).first
  app = TCPServer.new("127.0.0.1", URI(RETURN_URL).port)
  puts "Open: #{session["start_url"]}"
  browser = app.accept
  returned = URI.decode_www_form(URI(browser.gets.split[1]).query.to_s).to_h
  nil until browser.gets == "\r\n"
  # In your app: the session that this very browser began, and as subject whoever is signed in there now.
  abort "Another session came back: run this again." if returned["connect_session"] != session["id"]
  finish = { completion: returned["completion"], subject: subject }
  done = broker("Post", "/v1/connect-sessions/#{session["id"]}/complete", finish).first
  browser.write "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nConnected. You may close this window.\n"
  browser.close
  puts "Connected #{user}: #{done["grant"]}"
end

# Standard Webhooks: over the body as it came, byte for byte, before anybody has parsed it.
def verify
  body = $stdin.binmode.read
  id, time, signatures = ENV.values_at("WEBHOOK_ID", "WEBHOOK_TIMESTAMP", "WEBHOOK_SIGNATURE")
  key = secret_in("WEBHOOK_SECRET_FILE").delete_prefix("whsec_").unpack1("m")
  ours = "v1," + [OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{time}." + body)].pack("m0")
  # Several while a secret is changed: one must fit.
  fits = signatures.split.any? { |each| OpenSSL.secure_compare(each, ours) }
  abort "Not the broker's, or old." unless fits && (Time.now.to_i - Integer(time)).abs <= 300
  puts JSON.parse(body)["type"]
end

def changes
  id = broker("Post", "/v1/syncs", { server: SERVER, library: LIBRARY }).first["id"]
  unless File.exist?(CURSOR_FILE)
    first, *documents, last = broker("Get", "/v1/syncs/#{id}/snapshot")
    abort "The snapshot was cut short: run this again." if last["kind"] != "snapshot.end"
    puts "snapshot of #{documents.size} documents"
    File.write(CURSOR_FILE, first["cursor"])
  end
  loop do # to follow: add &wait=30, and go on for ever
    page = broker("Get", "/v1/syncs/#{id}/changes?limit=500&cursor=#{File.read(CURSOR_FILE)}").first
    page["items"].each { |item| puts [item["kind"], item["object"], item.dig("document", "name")].join(" ") }
    File.write(CURSOR_FILE, page["cursor"]) # in your app: in the transaction that applies the changes
    break if page["items"].empty?
  end
end

$stdout.sync = true
send(*ARGV) # token USER | connect USER | verify | changes
