// Talks to the server: reads packed messages (lpff_ray/reports/review/packing.py) and sends actions one after the other.

const ARRAYS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array };

/** A failure that the reviewer can be told of. lost: nothing was kept, and nothing further will be. */
export class ServerError extends Error {
  constructor(message, lost) {
    super(message);
    this.lost = lost;
  }
}

/** The head and the columns (typed arrays, without a copy) of a packed message. */
export function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const columns = {};
  for (const one of head.columns) {
    columns[one.name] = new ARRAYS[one.type](buffer, 4 + length + one.offset, one.length);
  }
  return { head, columns };
}

async function asked(path, body, signal) {
  const options = { signal };
  if (body !== undefined) {
    Object.assign(options, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server does not answer: what you do now is not kept. Run lpff-ray review again, and open its new address.", true);
  }
  if (response.ok) return response;
  if (response.status === 403) {
    throw new ServerError("The server does not know this page any more. Open the address that lpff-ray review printed last.", true);
  }
  const told = await response.json().catch(() => ({}));
  throw new ServerError(told.error || `the server answered ${response.status}`, false);
}

/** A packed message from the server. */
export async function fetched(path, body, signal) {
  return unpacked(await (await asked(path, body, signal)).arrayBuffer());
}

/** Plain JSON from the server. */
export async function fetchedJson(path, body, signal) {
  return (await asked(path, body, signal)).json();
}
