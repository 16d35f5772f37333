/** Gives a function that takes the secrets out of a line. */
export function redactor(secrets: readonly string[]): (line: string) => string {
  // A very short secret is left in: taking out every "a" would make the line unreadable and give the secret away.
  // The longest first: one secret can be the beginning of another.
  const known = secrets.filter((secret) => secret.length >= 4).sort((a, b) => b.length - a.length);
  return (line) => known.reduce((text, secret) => text.replaceAll(secret, "***"), line);
}
