{{/* An entry that reads a Secret: (list NAME SECRET KEY) */}}
{{- define "sac.fromSecret" -}}
- name: {{ index . 0 }}
  valueFrom: { secretKeyRef: { name: {{ index . 1 }}, key: {{ index . 2 }} } }
{{- end -}}

{{/* Environment of one of the program's pods: (dict "root" $ "own" YAML). An entry of extraEnv takes the place of ours. */}}
{{- define "sac.env" -}}
{{- $extra := .root.Values.server.extraEnv -}}
{{- $names := list -}}
{{- range $extra }}{{ $names = append $names .name }}{{ end -}}
{{- $env := list -}}
{{- range .own | fromYamlArray }}{{ if not (has .name $names) }}{{ $env = append $env . }}{{ end }}{{ end -}}
{{- concat $env $extra | toYaml -}}
{{- end -}}

{{/* Hosts of the organisation's own models, with commas. */}}
{{- define "sac.gatewayHosts" -}}
{{- $hosts := list -}}
{{- range .Values.agents.modelGateways }}{{ $hosts = concat $hosts .hosts }}{{ end -}}
{{- $hosts | uniq | join "," -}}
{{- end -}}

{{- define "sac.logEnv" -}}
- { name: LOG_LEVEL, value: {{ .Values.log.level }} }
- { name: LOG_FORMAT, value: {{ .Values.log.format }} }
{{- end -}}

{{/* Of the server: everything. */}}
{{- define "sac.serverEnv" -}}
{{- $secret := include "sac.secret" . -}}
{{- $own := include "sac.fullname" . -}}
- { name: RUNTIME, value: kubernetes }
{{ include "sac.logEnv" . }}
- { name: PUBLIC_URL, value: {{ .Values.publicUrl | quote }} }
- { name: INTERNAL_URL, value: "http://{{ $own }}-internal.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:8082" }
- { name: ORGANISATION, value: {{ .Values.organisation | quote }} }
- { name: TRUSTED_PROXIES, value: {{ join "," .Values.server.trustedProxies | quote }} }
{{- if .Values.metrics.enabled }}
- { name: METRICS_PORT, value: "9090" }
{{- end }}
- { name: K8S_NAMESPACE, value: {{ include "sac.agentsNamespace" . }} }
- { name: CLUSTER_DOMAIN, value: {{ .Values.clusterDomain }} }
- { name: DOCKER_IMAGE, value: {{ include "sac.ourImage" (dict "root" . "image" .Values.images.agent) | quote }} }
- { name: SIDECAR_IMAGE, value: {{ include "sac.ourImage" (dict "root" . "image" .Values.images.sidecar) | quote }} }
- { name: AGENT_IMAGE_PULL_POLICY, value: {{ .Values.images.pullPolicy }} }
- { name: AGENT_IMAGE_PULL_SECRETS, value: {{ join "," .Values.images.pullSecrets | quote }} }
- { name: AGENT_VOLUME, value: {{ .Values.agents.storage.kind }} }
- { name: AGENT_STORAGE_CLASS, value: {{ .Values.agents.storage.class | quote }} }
- { name: AGENT_STORAGE_SIZE, value: {{ .Values.agents.storage.size | quote }} }
- { name: AGENT_VOLUME_GRACE_HOURS, value: {{ .Values.agents.storage.graceHours | quote }} }
- { name: AGENT_RUNTIME_CLASS, value: {{ .Values.agents.runtimeClass | quote }} }
- { name: AGENT_CLOSED_ADDRESS, value: "{{ $own }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:{{ .Values.server.service.port }}" }
- { name: MODEL_PRIVATE_HOSTS, value: {{ include "sac.gatewayHosts" . | quote }} }
- { name: AGENT_EGRESS, value: {{ .Values.agents.egress }} }
{{ include "sac.fromSecret" (list "JWT_SECRET" $secret "jwt-secret") }}
{{ include "sac.fromSecret" (list "SECRET_KEYS" $secret "secret-keys") }}
{{ include "sac.fromSecret" (list "ADMIN_PASSWORD" $secret "admin-password") }}
{{ include "sac.databaseEnv" . }}
{{ include "sac.redisEnv" . }}
{{ include "sac.storageEnv" . }}
{{- end -}}

{{/* Of the job that changes the database: nothing but the way to it. */}}
{{- define "sac.migrateEnv" -}}
- { name: RUNTIME, value: local }
{{ include "sac.logEnv" . }}
{{ include "sac.databaseEnv" (merge (dict "passwords" (printf "%s-migrate" (include "sac.fullname" .))) .) }}
{{- end -}}

{{/* Of the job that makes the first admin: the password for it besides. */}}
{{- define "sac.seedEnv" -}}
{{ include "sac.migrateEnv" . }}
{{ include "sac.fromSecret" (list "ADMIN_PASSWORD" (default (printf "%s-migrate" (include "sac.fullname" .)) .Values.secrets.existingSecret) "admin-password") }}
{{- end -}}

{{/* Of the job that sweeps: database and files. */}}
{{- define "sac.maintenanceEnv" -}}
- { name: RUNTIME, value: local }
{{ include "sac.logEnv" . }}
{{ include "sac.databaseEnv" . }}
{{ include "sac.storageEnv" . }}
{{- end -}}

{{/* `passwords` names the Secret that has the database's password when that came as a value. */}}
{{- define "sac.databaseEnv" -}}
{{- $database := .Values.database -}}
{{- $own := include "sac.fullname" . -}}
- { name: DB_POOL_SIZE, value: {{ $database.poolSize | quote }} }
- { name: DB_START_WAIT_S, value: "120" }
{{- if .Values.postgres.enabled }}
- { name: DB_HOST, value: {{ $own }}-postgres }
- { name: DB_NAME, value: sac }
- { name: DB_USER, value: sac }
{{ include "sac.fromSecret" (list "DB_PASSWORD" (printf "%s-postgres" $own) "password") }}
{{- else if and $database.existingSecret (eq $database.existingSecretKey "url") }}
{{ include "sac.fromSecret" (list "DATABASE_URL" $database.existingSecret "url") }}
{{- else }}
- { name: DB_HOST, value: {{ required "database.host is not set. Name your PostgreSQL, or set postgres.enabled=true to try SAC with a small one in the chart." $database.host | quote }} }
- { name: DB_PORT, value: {{ $database.port | quote }} }
- { name: DB_NAME, value: {{ $database.name | quote }} }
- { name: DB_USER, value: {{ $database.user | quote }} }
{{ include "sac.fromSecret" (ternary (list "DB_PASSWORD" $database.existingSecret "password") (list "DB_PASSWORD" (default (printf "%s-connections" $own) .passwords) "database-password") (not (empty $database.existingSecret))) }}
{{- end }}
{{- end -}}

{{- define "sac.redisEnv" -}}
{{- $redis := .Values.redis -}}
{{- $own := include "sac.fullname" . -}}
{{- if $redis.enabled }}
{{ include "sac.fromSecret" (list "REDIS_PASSWORD" (printf "%s-redis" $own) "password") }}
- { name: REDIS_URL, value: "redis://sac:$(REDIS_PASSWORD)@{{ $own }}-redis:6379" }
{{- else if $redis.existingSecret }}
{{ include "sac.fromSecret" (list "REDIS_URL" $redis.existingSecret "url") }}
{{- else if $redis.externalUrl }}
{{ include "sac.fromSecret" (list "REDIS_URL" (printf "%s-connections" $own) "redis-url") }}
{{- end }}
{{- end -}}

{{- define "sac.storageEnv" -}}
{{- $s3 := .Values.storage.s3 -}}
- { name: STORAGE_TYPE, value: {{ .Values.storage.type }} }
{{- if eq .Values.storage.type "s3" }}
{{- $secret := default (printf "%s-connections" (include "sac.fullname" .)) $s3.existingSecret }}
- { name: S3_BUCKET, value: {{ required "storage.s3.bucket is not set." $s3.bucket | quote }} }
- { name: S3_REGION, value: {{ $s3.region | quote }} }
- { name: S3_ENDPOINT, value: {{ $s3.endpoint | quote }} }
- { name: S3_PREFIX, value: {{ $s3.prefix | quote }} }
{{ include "sac.fromSecret" (list "S3_ACCESS_KEY_ID" $secret "access-key-id") }}
{{ include "sac.fromSecret" (list "S3_SECRET_ACCESS_KEY" $secret "secret-access-key") }}
{{- end }}
{{- end -}}
