/** Makes a function that replaces the secrets in a line. */
export function redactor(secrets: readonly string[]): (line: string) => string {
  // A very short secret stays: to replace every "a" would make the line unreadable and give the secret away.
  // The longest comes first, since one secret can be the beginning of another.
  const known = secrets.filter((secret) => secret.length >= 4).sort((a, b) => b.length - a.length);
  return (line) => known.reduce((text, secret) => text.replaceAll(secret, "***"), line);
}
