/** Push trips to a mobility vault. No dependency; Apache-2.0: copy it. */
import { readFileSync } from "node:fs";

async function call(url: string, body?: object, token = ""): Promise<any> {
  const headers: Record<string, string> = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
  if (token) headers.Authorization = `Bearer ${token}`;
  for (;;) {
    const answer = await fetch(url, { method: body ? "POST" : "GET", headers, body: JSON.stringify(body) });
    if (answer.ok) return answer.json();
    // A problem names every place that is wrong, and why.
    if (![429, 503].includes(answer.status)) throw new Error(await answer.text());
    await new Promise((done) => setTimeout(done, 1000 * Number(answer.headers.get("Retry-After"))));
  }
}

const [vault, code, file] = process.argv.slice(2); // push.ts https://my-vault ABCD-2345 trips.json
const { token } = await call(`${vault}/v1/pairings`, { code, app: "my-app" }); // once; keep it
const taken = await call(`${vault}/v1/push`, { trips: JSON.parse(readFileSync(file, "utf8")) }, token);
console.log(JSON.stringify(await call(vault + taken.status, undefined, token)));
