// A client of the token broker in C# (.NET 8 or newer), with the base library alone. ../README.md says how to run it.
// NOT RUN: unlike the other samples, the project's tests only read this one.
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

static string Env(string name) => Environment.GetEnvironmentVariable(name) ?? throw new Exception($"{name} is not set");
static string SecretIn(string name) => File.ReadAllText(Env(name)).Trim();
static JsonObject Person(string user) => new() { ["type"] = "user", ["id"] = user };
using var http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }); // tokens go where they belong

async Task<string> Broker(HttpMethod method, string path, JsonNode? body = null) {
    using var request = new HttpRequestMessage(method, Env("BROKER_URL") + path);
    var basic = Encoding.UTF8.GetBytes($"{Env("CLIENT_ID")}:{SecretIn("CLIENT_SECRET_FILE")}");
    request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(basic));
    if (body is not null) request.Content = JsonContent.Create(body);
    using var answer = await http.SendAsync(request);
    var text = await answer.Content.ReadAsStringAsync();
    if (answer.IsSuccessStatusCode) return text;
    var problem = JsonNode.Parse(text)!; // a refusal says who must act and how (RFC 9457)
    if ((string?)problem["code"] == "cursor_expired") File.Delete(Env("CURSOR_FILE")); // the next run takes the snapshot
    Console.Error.WriteLine($"{problem["title"]} {problem["action"]} ({problem["code"]})");
    Environment.Exit((string?)problem["remedy"] == "time" ? 75 : 1); // 75, "temporary failure": the same call again, after Retry-After
    return text;
}

// Ask whenever you need one: the broker answers from its store, and refreshes ahead.
async Task Token(string user, string? rejected = null) {
    var wish = new JsonObject { ["server"] = Env("SERVER"), ["subject"] = Person(user) };
    if (rejected is not null) wish["rejected"] = rejected;
    var token = JsonNode.Parse(await Broker(HttpMethod.Post, "/v1/access-tokens", wish))!;
    var url = $"{token["api_base_url"]}/work/api/v2/customers/{token["customer_id"]}/libraries";
    using var request = new HttpRequestMessage(HttpMethod.Get, url);
    request.Headers.Add((string)token["header"]!, (string)token["access_token"]!);
    using var answer = await http.SendAsync(request);
    if (answer.StatusCode == HttpStatusCode.Unauthorized && rejected is null)
        await Token(user, (string)token["fingerprint"]!); // reported, and another token asked for
    else Console.WriteLine($"iManage answered {(int)answer.StatusCode}");
}

async Task Connect(string user) {
    var wish = new JsonObject { ["server"] = Env("SERVER"), ["subject"] = Person(user), ["return_url"] = Env("RETURN_URL") };
    var session = JsonNode.Parse(await Broker(HttpMethod.Post, "/v1/connect-sessions", wish))!;
    using var app = new HttpListener { Prefixes = { new Uri(Env("RETURN_URL")).GetLeftPart(UriPartial.Authority) + "/" } };
    app.Start();
    Console.WriteLine($"Open: {session["start_url"]}");
    var browser = await app.GetContextAsync();
    // In your app: the session that this very browser began, and as subject whoever is signed in there now.
    if (browser.Request.QueryString["connect_session"] != (string)session["id"]!) throw new Exception("Another session came back.");
    var finish = new JsonObject { ["completion"] = browser.Request.QueryString["completion"], ["subject"] = Person(user) };
    var done = await Broker(HttpMethod.Post, $"/v1/connect-sessions/{session["id"]}/complete", finish);
    browser.Response.Close(Encoding.UTF8.GetBytes("Connected. You may close this window.\n"), willBlock: true);
    Console.WriteLine($"Connected {user}: {JsonNode.Parse(done)!["grant"]}");
}

// Standard Webhooks: over the body as it came, byte for byte, before anybody has parsed it.
async Task Verify() {
    using var body = new MemoryStream();
    await Console.OpenStandardInput().CopyToAsync(body);
    var key = Convert.FromBase64String(SecretIn("WEBHOOK_SECRET_FILE").Replace("whsec_", ""));
    byte[] signed = [.. Encoding.UTF8.GetBytes($"{Env("WEBHOOK_ID")}.{Env("WEBHOOK_TIMESTAMP")}."), .. body.ToArray()];
    var ours = Encoding.ASCII.GetBytes("v1," + Convert.ToBase64String(HMACSHA256.HashData(key, signed)));
    var given = Env("WEBHOOK_SIGNATURE").Split(' ').Select(each => Encoding.ASCII.GetBytes(each)); // several
    var age = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - long.Parse(Env("WEBHOOK_TIMESTAMP"));
    if (!given.Any(each => CryptographicOperations.FixedTimeEquals(each, ours)) || Math.Abs(age) > 300)
        throw new Exception("Not the broker's, or old.");
    Console.WriteLine(JsonNode.Parse(body.ToArray())!["type"]);
}

async Task Changes() {
    var wish = new JsonObject { ["server"] = Env("SERVER"), ["library"] = Env("LIBRARY") };
    var at = $"/v1/syncs/{JsonNode.Parse(await Broker(HttpMethod.Post, "/v1/syncs", wish))!["id"]}";
    if (!File.Exists(Env("CURSOR_FILE"))) {
        var text = await Broker(HttpMethod.Get, $"{at}/snapshot");
        var lines = text.Trim().Split('\n').Select(line => JsonNode.Parse(line)!).ToList();
        if ((string)lines[^1]["kind"]! != "snapshot.end") throw new Exception("It was cut short: run this again.");
        Console.WriteLine($"snapshot of {lines.Count - 2} documents");
        File.WriteAllText(Env("CURSOR_FILE"), (string)lines[0]["cursor"]!);
    }
    JsonNode page;
    do { // to follow: add &wait=30, and go on for ever
        var next = $"{at}/changes?cursor={File.ReadAllText(Env("CURSOR_FILE"))}";
        page = JsonNode.Parse(await Broker(HttpMethod.Get, next))!;
        foreach (var item in page["items"]!.AsArray())
            Console.WriteLine($"{item!["kind"]} {item["object"]} {item["document"]?["name"]}");
        File.WriteAllText(Env("CURSOR_FILE"), (string)page["cursor"]!); // in your app: in the transaction of the changes
    } while (page["items"]!.AsArray().Count > 0);
}

await (args switch {
    ["token", var user] => Token(user),
    ["connect", var user] => Connect(user),
    ["verify"] => Verify(),
    ["changes"] => Changes(),
    _ => throw new Exception("token USER | connect USER | verify | changes"),
});
