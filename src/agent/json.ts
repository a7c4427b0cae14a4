/** As JSON. Attributes are the user's: where they do not go into JSON, the rest still does. */
export function toJsonText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(value, (name, part: unknown) =>
      name === "attributes" && !goesIntoJson(part) ? { "[not JSON]": true } : part,
    );
  }
}

function goesIntoJson(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}
