{{/* The folder of what the chart writes, and of what belongs beside it. No subPath anywhere: what is mounted by one never
     changes. */}}
{{- define "metaaccess-exporter.configFolder" -}}
/etc/metaaccess-exporter/config
{{- end -}}

{{/* The folder of a Secret with credentials. */}}
{{- define "metaaccess-exporter.secretFolder" -}}
/etc/metaaccess-exporter/secrets/{{ . }}
{{- end -}}

{{/* Whether there is a web configuration. */}}
{{- define "metaaccess-exporter.hasWebConfig" -}}
{{- with .Values.web.config -}}
{{- if or .value .existingSecret -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* The source of a file from a ConfigMap or Secret of the user's: (list GIVEN FILE). */}}
{{- define "metaaccess-exporter.givenSource" -}}
{{- $given := first . -}}
{{- $items := list (dict "key" $given.key "path" (last .)) -}}
{{- with $given.existingConfigMap }}
{{ list (dict "configMap" (dict "name" . "items" $items)) | toYaml }}
{{- end -}}
{{- with $given.existingSecret }}
{{ list (dict "secret" (dict "name" . "items" $items)) | toYaml }}
{{- end -}}
{{- end -}}

{{/* What the folder of the configuration is made of; nothing where the exporter is given no file. Of the chart's own
     objects it is all, so that another account changes nothing in the pod. */}}
{{- define "metaaccess-exporter.sources" -}}
{{- $name := include "metaaccess-exporter.fullname" . -}}
{{- if include "metaaccess-exporter.configData" . | fromJson }}
- configMap:
    name: {{ $name | quote }}
{{- end -}}
{{- if include "metaaccess-exporter.secretData" . | fromJson }}
- secret:
    name: {{ $name | quote }}
{{- end -}}
{{- if not .Values.demo }}{{ include "metaaccess-exporter.givenSource" (list .Values.api.ca "ca.crt") }}{{ end -}}
{{- include "metaaccess-exporter.databaseSources" . }}
{{- include "metaaccess-exporter.givenSource" (list .Values.metrics.hostnameKey "hostname-key") }}
{{- include "metaaccess-exporter.givenSource" (list .Values.web.config "web.yml") }}
{{- with .Values.web.certificateSecret }}
- secret:
    name: {{ . | quote }}
    items:
      - key: tls.crt
        path: tls.crt
      - key: tls.key
        path: tls.key
{{- end -}}
{{- include "metaaccess-exporter.givenSource" (list .Values.web.clientCa "client-ca.crt") }}
{{- end -}}

{{/* The Secrets of the user's that hold credentials, each by the name of its volume. */}}
{{- define "metaaccess-exporter.credentialSecrets" -}}
{{- $secrets := dict -}}
{{- range .Values.accounts -}}
{{- range $source := list .client_secret .access_token -}}
{{- with $source -}}
{{- with .existingSecret -}}
{{- $_ := set $secrets (printf "credentials-%s" (sha256sum . | trunc 8)) . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $secrets -}}
{{- end -}}

{{/* The volumes of all files that the exporter is given. They can be read by the group of the pod, which is fsGroup, and
     by nobody else. */}}
{{- define "metaaccess-exporter.fileVolumes" -}}
{{- with include "metaaccess-exporter.sources" . }}
- name: config
  projected:
    defaultMode: 0440
    sources:
      {{- . | trim | nindent 6 }}
{{- end -}}
{{- range $volume, $secret := include "metaaccess-exporter.credentialSecrets" . | fromJson }}
- name: {{ $volume | quote }}
  secret:
    secretName: {{ $secret | quote }}
    defaultMode: 0440
{{- end -}}
{{- end -}}

{{/* Where the container mounts them. */}}
{{- define "metaaccess-exporter.fileMounts" -}}
{{- if include "metaaccess-exporter.sources" . }}
- name: config
  mountPath: {{ include "metaaccess-exporter.configFolder" . | quote }}
  readOnly: true
{{- end -}}
{{- range $volume, $secret := include "metaaccess-exporter.credentialSecrets" . | fromJson }}
- name: {{ $volume | quote }}
  mountPath: {{ include "metaaccess-exporter.secretFolder" $secret | quote }}
  readOnly: true
{{- end -}}
{{- end -}}

{{/* What a change of the web configuration takes over only by a restart: to take any of it away. */}}
{{- define "metaaccess-exporter.webAsksFor" -}}
{{- $asks := list -}}
{{- with .Values.web.config.value -}}
{{- $tls := .tls_server_config | default dict -}}
{{- if $tls }}{{ $asks = append $asks "tls" }}{{ end -}}
{{- with $tls.client_auth_type }}{{ $asks = append $asks . }}{{ end -}}
{{- if .basic_auth_users }}{{ $asks = append $asks "passwords" }}{{ end -}}
{{- end -}}
{{- join " " $asks -}}
{{- end -}}
