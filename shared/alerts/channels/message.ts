/** The lines of an alert that every channel shows. */
import type { Alert } from "../alert.ts";

const SEVERITY_MARKS = { critical: "🚨", major: "⚠️", minor: "🟡" } as const;

/** Makes the alert's first line: `🚨 S-02 Slot overbooking — critical` */
export function headline({ kind, invariantId, title, severity }: Alert): string {
  const name = invariantId === null ? title : `${invariantId} ${title}`;
  const red = `${SEVERITY_MARKS[severity]} ${name} — ${severity}`;
  switch (kind) {
    case "broke":
      return red;
    case "spread":
      return `${red}, spreading`;
    case "reminder":
      return `${red}, still red`;
    case "recovered":
      return `✅ ${name} — recovered`;
    case "blind":
      return `🙈 ${name}`;
    case "sees":
      return `👀 ${name}`;
    case "test":
      return `🔔 ${name}`;
  }
}

export const moreLine = ({ more }: Alert) => (more > 0 ? `… +${more} more` : null);
export const keyLine = ({ key }: Alert) => `alert ${key}`;
