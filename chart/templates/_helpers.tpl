{{/* Name of the release's objects: the release's own when it says sac already. */}}
{{- define "sac.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* (dict "root" $ "component" "server") */}}
{{- define "sac.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "sac.labels" -}}
{{ include "sac.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* (dict "root" $ "image" .Values.images.server): one of our images, from our registry. */}}
{{- define "sac.ourImage" -}}
{{- $registry := .root.Values.images.registry | trimSuffix "/" -}}
{{- $name := ternary .image.repository (printf "%s/%s" $registry .image.repository) (empty $registry) -}}
{{- if .image.digest -}}{{ $name }}@{{ .image.digest }}{{- else -}}{{ $name }}:{{ default .root.Chart.AppVersion .image.tag }}{{- end -}}
{{- end -}}

{{- define "sac.image" -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}

{{- define "sac.agentsNamespace" -}}
{{- $name := default (printf "%s-agents" .Release.Namespace) .Values.agents.namespace -}}
{{- if eq $name .Release.Namespace -}}{{ fail "agents.namespace must not be the portal's own namespace: whoever starts pods there could read its Secrets." }}{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "sac.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}{{ .Values.serviceAccount.name }}{{- else if .Values.serviceAccount.create -}}{{ include "sac.fullname" . }}{{- else -}}default{{- end -}}
{{- end -}}

{{- define "sac.secret" -}}
{{- default (include "sac.fullname" .) .Values.secrets.existingSecret -}}
{{- end -}}

{{/* Keys that were made at the first install, or just now: every template of one drawing gets the same. YAML of base64. */}}
{{- define "sac.keys" -}}
{{- if not (hasKey .Values "madeKeys") -}}
{{- $old := (lookup "v1" "Secret" .Release.Namespace (include "sac.secret" .)).data | default dict -}}
{{- $admin := ternary (.Values.admin.password | b64enc) (index $old "admin-password" | default (randAlphaNum 24 | b64enc)) (not (empty .Values.admin.password)) -}}
{{- $jwt := index $old "jwt-secret" | default (randAlphaNum 48 | b64enc) -}}
{{- $sealing := index $old "secret-keys" | default (randAlphaNum 64 | sha256sum | b64enc) -}}
{{- $_ := set .Values "madeKeys" (dict "jwt-secret" $jwt "secret-keys" $sealing "admin-password" $admin) -}}
{{- end -}}
{{- toYaml .Values.madeKeys -}}
{{- end -}}

{{/* Passwords of services that came as values. YAML, {} without any. */}}
{{- define "sac.connections" -}}
{{- $connections := dict -}}
{{- if and (not .Values.postgres.enabled) (not .Values.database.existingSecret) -}}
{{- $_ := set $connections "database-password" .Values.database.password -}}
{{- end -}}
{{- if and (not .Values.redis.enabled) .Values.redis.externalUrl (not .Values.redis.existingSecret) -}}
{{- $_ := set $connections "redis-url" .Values.redis.externalUrl -}}
{{- end -}}
{{- if and (eq .Values.storage.type "s3") (not .Values.storage.s3.existingSecret) -}}
{{- $_ := set $connections "access-key-id" .Values.storage.s3.accessKeyId -}}
{{- $_ := set $connections "secret-access-key" .Values.storage.s3.secretAccessKey -}}
{{- end -}}
{{- toYaml $connections -}}
{{- end -}}

{{- define "sac.host" -}}
{{- (urlParse .Values.publicUrl).host | splitList ":" | first -}}
{{- end -}}

{{- define "sac.isTls" -}}
{{- if hasPrefix "https:" .Values.publicUrl -}}true{{- end -}}
{{- end -}}

{{- define "sac.podSecurity" -}}
runAsNonRoot: true
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "sac.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "sac.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}
