/** The Docker daemon of the stories: the same as the bench has. */
export {
  type Certificates,
  type Dockerd,
  type Image,
  makeCertificates,
  startDockerd,
} from "../../infra/local/dockerd.ts";
