/** The Docker daemon of the live tests: the bench's. */
export {
  type Certificates,
  type Dockerd,
  type Image,
  makeCertificates,
  startDockerd,
} from "../../infra/local/dockerd.ts";
