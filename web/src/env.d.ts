interface ImportMetaEnv {
  readonly VITE_PHYSIX_API_URL?: string;
}
