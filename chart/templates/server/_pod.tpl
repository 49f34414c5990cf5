{{/* What all pods that run the server's program share: security, volumes. (dict "root" $ "files" true) with agents' files. */}}
{{- define "sac.programPod" -}}
{{- $values := .root.Values -}}
{{- include "sac.pullSecrets" .root }}
enableServiceLinks: false
securityContext:
  {{- include "sac.podSecurity" .root | nindent 2 }}
  runAsUser: 10000
  runAsGroup: 10000
  fsGroup: 10000
  fsGroupChangePolicy: OnRootMismatch
volumes:
  - { name: data, emptyDir: { sizeLimit: 256Mi } }
  - { name: tmp, emptyDir: { sizeLimit: 1Gi } }
  {{- if and .files (eq $values.storage.type "filesystem") }}
  - name: files
    persistentVolumeClaim: { claimName: {{ default (printf "%s-files" (include "sac.fullname" .root)) $values.storage.filesystem.existingClaim }} }
  {{- end }}
{{- end -}}

{{/* A volume for one node binds its replicas to one node, too. */}}
{{- define "sac.affinity" -}}
{{- $affinity := deepCopy .Values.server.affinity -}}
{{- if and (eq .Values.storage.type "filesystem") (eq .Values.storage.filesystem.accessMode "ReadWriteOnce") -}}
{{- $together := dict "labelSelector" (dict "matchLabels" (include "sac.selector" (dict "root" . "component" "server") | fromYaml)) "topologyKey" "kubernetes.io/hostname" -}}
{{- $affinity = merge (dict "podAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list $together))) $affinity -}}
{{- end -}}
{{- with $affinity }}{{ toYaml . }}{{- end -}}
{{- end -}}

{{/* (dict "root" $ "env" "sac.serverEnv" "files" true) */}}
{{- define "sac.programContainer" -}}
{{- $values := .root.Values -}}
image: {{ include "sac.ourImage" (dict "root" .root "image" $values.images.server) | quote }}
imagePullPolicy: {{ $values.images.pullPolicy }}
securityContext: {{- include "sac.containerSecurity" .root | nindent 2 }}
env: {{- include "sac.env" (dict "root" .root "own" (include .env .root)) | nindent 2 }}
volumeMounts:
  - { name: data, mountPath: /data }
  - { name: tmp, mountPath: /tmp }
  {{- if and .files (eq $values.storage.type "filesystem") }}
  - { name: files, mountPath: /data/storage, subPath: storage }
  {{- end }}
{{- end -}}
